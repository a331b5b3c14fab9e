/** A store that can be told to fail. */
import type { ImmediateShardStore } from '@bailiwick/store'

/** Passes everything to a store, but calls `before` ahead of whatever writes: what that throws is the answer, and nothing is written. */
export function failingStore(store: ImmediateShardStore, before: () => void): ImmediateShardStore {
  const write = <T>(act: () => T): T => {
    before()
    return act()
  }
  return {
    epoch: store.epoch,
    recover: (now) => write(() => store.recover(now)),
    load: (type, key) => store.load(type, key),
    outcome: (scope, key, now) => store.outcome(scope, key, now),
    dueTimers: (now, limit) => store.dueTimers(now, limit),
    nextDueAt: () => store.nextDueAt(),
    timersOf: (type, key) => store.timersOf(type, key),
    dueCommands: (now, limit) => store.dueCommands(now, limit),
    nextCommandDueAt: () => store.nextCommandDueAt(),
    outboxTo: (peer, after, limit) => store.outboxTo(peer, after, limit),
    dueEffects: (name, now, limit) => store.dueEffects(name, now, limit),
    nextEffectDueAt: (name) => store.nextEffectDueAt(name),
    turnsOf: (type, key, limit) => store.turnsOf(type, key, limit),
    lateResults: (actor, limit) => store.lateResults(actor, limit),
    deadLetters: (filter, limit) => store.deadLetters(filter, limit),
    commit: (batch) => write(() => store.commit(batch)),
    expireOutcomes: (now, limit) => write(() => store.expireOutcomes(now, limit)),
    compact: () => write(() => store.compact()),
    close: () => store.close(),
  }
}
