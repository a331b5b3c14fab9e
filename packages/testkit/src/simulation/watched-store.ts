/** A store whose commits are points at which something may strike. Everything else goes straight through. */
import type { Answer, Batch, CommitReport, ShardStore } from '@bailiwick/store'
import { storeAround } from '../store-around.ts'

/** A shard's store, with `commit` in other hands: `through` does the real thing. */
export function watchedStore(
  store: ShardStore,
  commit: (batch: Batch, through: () => Answer<CommitReport>) => Answer<CommitReport>,
): ShardStore {
  return storeAround(store, (method, call, [batch]) => {
    return method === 'commit' ? commit(batch as Batch, call as () => Answer<CommitReport>) : call() // What `commit` is given, and answers.
  })
}
