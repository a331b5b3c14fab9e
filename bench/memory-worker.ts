/** Hosts actors in its own thread and tells what its heap holds before and after. Run with --expose-gc. */
import type { ShardStore } from '@bailiwick/store'
import { TestWorld } from '@bailiwick/testkit'
import { account } from './actors.ts'

const count = Number(process.argv[2] ?? 1_000)

async function heapUsed(): Promise<number> {
  for (let round = 0; round < 4; round += 1) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return process.memoryUsage().heapUsed
}

/** Keeps nothing, so that only the kernel's own memory is measured. */
function forgetful(store: ShardStore): ShardStore {
  return {
    epoch: store.epoch,
    recover: (now) => store.recover(now),
    load: () => undefined,
    outcome: () => undefined,
    dueTimers: () => [],
    nextDueAt: () => undefined,
    timersOf: () => [],
    dueCommands: () => [],
    nextCommandDueAt: () => undefined,
    outboxTo: () => [],
    dueEffects: () => [],
    nextEffectDueAt: () => undefined,
    turnsOf: () => [],
    lateResults: () => [],
    deadLetters: () => [],
    commit: () => ({ effectsCancelled: 0 }),
    expireOutcomes: () => 0,
    compact: () => undefined,
    close: () => undefined,
  }
}

const world = new TestWorld({ wrapStore: forgetful })
const system = await world.open({ actors: [account], limits: { residentActors: count + 1 } })
await system.actor(account, 'first').ask.deposit({ amount: 1 })
const before = await heapUsed()
for (let done = 0; done < count; done += 1_000) {
  await Promise.all(
    Array.from({ length: Math.min(1_000, count - done) }, (_none, index) =>
      system.actor(account, `a${done + index}`).ask.deposit({ amount: 1 }),
    ),
  )
}
const after = await heapUsed()
console.log(JSON.stringify({ resident: system.stats().residentActors, bytesEach: (after - before) / count }))
await world.close()
