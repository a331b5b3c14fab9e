/** Generated commands under the two test runners: vitest, with the integration of fast-check, and node:test. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { commandsOf } from '../../src/generation/commands-of.ts'
import { account } from '../fixtures/account.ts'
import { runBesideModel } from '../fixtures/account-model.ts'

describe('with @fast-check/vitest', () => {
  test.prop([fc.array(commandsOf(account, { only: ['deposit', 'withdraw', 'balance'] }), { maxLength: 10 })], { numRuns: 50 })(
    'an account keeps its balance',
    runBesideModel,
  )

  test.prop([commandsOf(account)])('a single command is an argument of the test', ({ command }) => {
    expect(account.commands.has(command)).toBe(true)
  })

  test.prop({ command: commandsOf(account, { only: ['owes'] }) })('also a named one', ({ command: { input } }) => {
    expect(input.atLeast).toBeGreaterThan(0)
  })
})

describe('with node:test', () => {
  test('a file of plain fast-check passes under `node --test`', async () => {
    const file = fileURLToPath(new URL('../fixtures/account.node-test.ts', import.meta.url))
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const { stdout } = await promisify(execFile)(process.execPath, ['--test', '--test-reporter=tap', file], { env })
    expect(stdout).toMatch(/^# pass 2$/m)
    expect(stdout).toMatch(/^# fail 0$/m)
  })
})
