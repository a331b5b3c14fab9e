/**
 * The program that the crash test of turns starts: a worker's turn runs, then a handler's and an ordinary command come that
 * interrupt it. Every call has an idempotency key, and is made again by the next process, as by a careful caller.
 *
 * With `BAILIWICK_DIES` in its environment the process kills itself at that place. Without it, it waits until everything is
 * done, and prints what it finds.
 */
import { openSystem } from '@bailiwick/kernel'
import { desk, die, diesAt, mark, patientDesk, readLines } from '../fixtures/desk.actor.ts'

const [directory = '', log = '', checkpoints = '0', isPatient = 'no'] = process.argv.slice(2)
const system = await openSystem({ directory, actors: [desk, patientDesk] })
const ref = isPatient === 'yes' ? system.actor(patientDesk, 'd') : system.actor(desk, 'd')
const input = { log, checkpoints: Number(checkpoints) }

const nextTurn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })

const isDying = process.env['BAILIWICK_DIES'] !== undefined
await ref.tell.worker(input, { idempotencyKey: 'worker' })
// Whoever interrupts it comes when it is where it waits.
const isThere = (): boolean =>
  readLines(log).filter(({ who, what }) => who === 'worker' && (what === 'begins' || what === 'saved')).length > input.checkpoints
if (isDying) while (!isThere()) await nextTurn()
const handled = ref.tell.handler(input, { idempotencyKey: 'handler' })
const counted = ref.ask.count({ log }, { idempotencyKey: 'count', timeoutMs: 600_000 })
// Accepted: the command and what it wants of the worker are on disk. The worker's time is not over, so no signal has fired.
await handled
mark(log, { who: 'caller', what: 'accepted' })
if (diesAt('before the signal')) die()
await counted
const open = async (): Promise<boolean> => (await ref.turns()).some(({ state }) => state !== 'ended')
while (await open()) await nextTurn()
const { turns } = system.stats()
console.log(
  JSON.stringify({ memory: await ref.ask.memory(), turns: await ref.turns(), running: turns.running, epoch: system.stats().epoch }),
)
await system.close()
