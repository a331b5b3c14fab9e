/** A store that answers every question with a promise, as one behind a network would. For showing that the kernel can wait. */
import type { ShardStore } from '@bailiwick/store'
import { storeAround } from './store-around.ts'

/** Wraps a store so that each answer comes after a wait: as many rounds of the event loop as a number says, or until a promise resolves. */
export function laterStore(store: ShardStore, wait: () => number | Promise<void>): ShardStore {
  return storeAround(store, async (_method, call) => {
    const until = wait()
    if (typeof until !== 'number') await until
    else for (let left = until; left > 0; left -= 1) await new Promise((resolve) => setImmediate(resolve))
    return await call()
  })
}
