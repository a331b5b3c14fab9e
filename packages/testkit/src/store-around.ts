/** A store with somebody around it: every wrapper of stores in this package is made of this one. */
import type { ShardStore } from '@bailiwick/store'

/** What can be asked of a store. */
export type StoreMethod = Exclude<keyof ShardStore, 'epoch'>

/** One entry for each: a method that is missing here does not compile. */
const METHODS: Readonly<Record<StoreMethod, true>> = {
  recover: true,
  load: true,
  outcome: true,
  dueTimers: true,
  nextDueAt: true,
  timersOf: true,
  dueCommands: true,
  nextCommandDueAt: true,
  outboxTo: true,
  dueEffects: true,
  nextEffectDueAt: true,
  turnsOf: true,
  lateResults: true,
  deadLetters: true,
  commit: true,
  expireOutcomes: true,
  compact: true,
  close: true,
}

/**
 * A store whose every method goes through `around`, which is given its name, the real call, and its arguments. What that answers
 * must be what the method would answer, or a promise of it where the caller can wait.
 */
export function storeAround<Store extends ShardStore>(
  store: Store,
  around: (method: StoreMethod, call: () => unknown, args: readonly unknown[]) => unknown,
): Store {
  const methods = Object.keys(METHODS).map((name) => {
    const method = name as StoreMethod // The names of the table above.
    return [method, (...args: readonly unknown[]) => around(method, () => called(store, method, args), args)] as const
  })
  return { epoch: store.epoch, ...Object.fromEntries(methods) } as unknown as Store // Every method, with the answers of the real one.
}

/** Looked up when it is called: somebody may have put another method there meanwhile. */
function called(store: ShardStore, method: StoreMethod, args: readonly unknown[]): unknown {
  const real = store[method] as (...given: readonly unknown[]) => unknown // By name: each is given what it was called with.
  return Reflect.apply(real, store, args)
}
