/** The same campaigns, ten million schedules of them, in worker processes that are replaced now and then. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const SCHEDULES = Number(process.env['BAILIWICK_SCHEDULES'] ?? 10_000_000)
const SEED = process.env['BAILIWICK_SEED'] ?? '1'

test('G1 to G13 and K32 hold over ten million schedules', { timeout: 24 * 3_600_000 }, async () => {
  const program = fileURLToPath(new URL('run.ts', import.meta.url))
  const child = spawn(process.execPath, [program, '--schedules', String(SCHEDULES), '--seed', SEED], { stdio: 'inherit' })
  const code = await new Promise((resolve) => child.once('exit', resolve))
  expect(code).toBe(0)
})
