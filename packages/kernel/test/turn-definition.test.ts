/** What a definition with turns may not say: refused when it is made, with the field's name. */
import { command, defineActor, turn } from '@bailiwick/kernel'
import { expect, test } from 'vitest'
import { setup } from 'xstate'

const logic = setup({}).createMachine({})
const misspelt = { run: () => 1, prempt: 'steal' }

test.each([
  ['commands.job.prempt', { job: turn(misspelt) }, {}],
  ['commands.job.timeoutMs', { job: turn({ run: () => 1, timeoutMs: 1e300 }) }, {}],
  ['commands.job.endWithinMs', { job: turn({ run: () => 1, endWithinMs: 1e300 }) }, {}],
  ['commands.job.done', { job: turn({ run: () => 1 }), 'job.done': command() }, {}],
  ['turns.rank', { job: turn({ run: () => 1 }) }, { rank: ['a'] }],
])('%s is refused by its name', (field, commands, turns) => {
  const define = (): unknown =>
    defineActor({ type: 'wrong', module: import.meta.url, logic, turns: turns as never, commands: commands as never }) // What no type would let through.
  expect(define).toThrow(expect.objectContaining({ code: 'INVALID_DEFINITION', field }))
})
