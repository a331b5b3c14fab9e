/** The gateway as a person meets it, under load and killed; and the checks of its demo, which must be able to fail. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { fullestWindow, statementsOn } from '../gateway/check.ts'

test(
  'under load from another process, killed twice: limits exact, nothing created twice, no budget overdrawn, no secret told',
  { timeout: 120_000 },
  () => {
    const directory = mkdtempSync(join(tmpdir(), 'bailiwick-gateway-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const program = join(import.meta.dirname, '../gateway/main.ts')
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, '--kills', '2', '--data', directory], { encoding: 'utf8' })
    expect(status, `${stdout}\n${stderr}`).toBe(0)
    expect(stdout).toMatch(/2 kills: [1-9]\d* denied by the limit/)
    expect(stdout.match(/^ok /gm)).toHaveLength(9)
    expect(stdout).toMatch(/\nLimits exact, nothing created twice, no budget overdrawn\.\n$/)
    const data = join(directory, 'data')
    const stored = readdirSync(data).map((name) => readFileSync(join(data, name)))
    expect(stored.length).toBeGreaterThan(2)
    for (const name of ['signing.secret', 'operator.token']) {
      const file = join(directory, name)
      const secret = readFileSync(file, 'utf8')
      expect(statSync(file).mode & 0o777).toBe(0o600)
      expect(stdout + stderr).not.toContain(secret)
      expect(stored.some((bytes) => bytes.includes(secret))).toBe(false)
    }
  },
)

const report = { customer: 'ada', requests: 3, denied: 0, unknown: 0, allowedAt: [0, 50, 100], answers: [{ key: 'a', number: 1 }] }
const kept = { count: 1, cost: 7, balance: { total: 10, used: 7, reserved: 0 } }

function holding(changed: Partial<typeof report>, keeps: Partial<typeof kept> = {}): readonly boolean[] {
  return statementsOn({ ...report, ...changed }, { ...kept, ...keeps }, 2, 100).map(({ holds }) => holds)
}

test('the demo finds a limit that was passed, an order that was created twice, and a budget that does not come out', () => {
  expect(fullestWindow([0, 50, 100], 100)).toBe(2)
  expect(fullestWindow([100, 0, 50, 99], 100)).toBe(3)
  expect(holding({})).toEqual([true, true, true])
  expect(holding({ allowedAt: [0, 50, 99] })).toEqual([false, true, true])
  expect(holding({}, { count: 2 })).toEqual([true, false, true])
  expect(holding({ answers: [...report.answers, { key: 'a', number: 2 }] })).toEqual([true, false, true])
  expect(holding({ answers: [...report.answers, { key: 'b', number: 1 }] }, { count: 1 })).toEqual([true, false, true])
  expect(holding({}, { cost: 14 })).toEqual([true, true, false])
  expect(holding({}, { balance: { total: 10, used: 7, reserved: 4 } })).toEqual([true, true, false])
})
