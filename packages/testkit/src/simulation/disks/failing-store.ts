/** A store that can be told to fail. */
import type { ImmediateShardStore } from '@bailiwick/store'
import { storeAround } from '../../store-around.ts'
import type { StoreMethod } from '../../store-around.ts'

const WRITES: ReadonlySet<StoreMethod> = new Set(['recover', 'commit', 'expireOutcomes', 'compact'])

/** Passes everything to a store, but calls `before` ahead of whatever writes: what that throws is the answer, and nothing is written. */
export function failingStore(store: ImmediateShardStore, before: () => void): ImmediateShardStore {
  return storeAround(store, (method, call) => {
    if (WRITES.has(method)) before()
    return call()
  })
}
