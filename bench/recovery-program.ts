/** A program to kill: makes actors, lets tells wait, says so, and hangs. With `first` it answers how long the first reply took. */
import { openSystem } from '@bailiwick/kernel'
import { account } from './actors.ts'

const [directory = '', mode = 'fill', actors = '0', waiting = '0'] = process.argv.slice(2)
const startedAt = performance.now()
const system = await openSystem({ directory, actors: [account], limits: { batchCommands: mode === 'fill' ? 4_096 : 2_048 } })

if (mode === 'first') {
  await system.actor(account, 'a1').ask.balance({}, { priority: 'urgent' })
  console.log(JSON.stringify({ ms: performance.now() - startedAt, recovered: system.stats().recovered }))
  process.exit(0)
}
for (let done = 0; done < Number(actors); done += 5_000) {
  const some = Math.min(5_000, Number(actors) - done)
  await Promise.all(Array.from({ length: some }, (_none, index) => system.actor(account, `a${done + index}`).ask.deposit({ amount: 1 })))
}
// All of these are accepted with the first commit; the process is killed long before they are handled.
const tells = Array.from({ length: Number(waiting) }, (_none, index) =>
  system.actor(account, `a${index % 1_000}`).tell.deposit({ amount: 1 }),
)
await tells.at(-1)
process.kill(process.pid, 'SIGKILL')
