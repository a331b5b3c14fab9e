/** The program of an isolated worker: `crew.ts` starts it with a directory, and asks it through the channel between them. */
import { openSystem } from '@bailiwick/kernel'
import { actors } from './components.actor.ts'
import type { Call } from './crew.ts'
import { workerOf } from './worker.ts'

const system = await openSystem({ directory: process.argv[2] ?? '', actors, shards: 1 })
const worker = workerOf(system)

process.on('message', ({ id, name, input }: Call) => {
  // The caller has typed the input by the name; the compiler cannot follow that through the channel.
  const asked = worker[name] as (input: unknown) => Promise<unknown>
  asked(input).then(
    (value) => process.send?.({ id, value }),
    (error: unknown) => process.send?.({ id, failure: String(error) }),
  )
})
process.once('disconnect', () => void system.close())
process.send?.({ id: 0 })
