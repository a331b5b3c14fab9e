/** A store whose commits are points at which something may strike. Everything else goes straight through. */
import type { Answer, Batch, CommitReport, ShardStore } from '@bailiwick/store'

/** A shard's store, with `commit` in other hands: `through` does the real thing. */
export function watchedStore(
  store: ShardStore,
  commit: (batch: Batch, through: () => Answer<CommitReport>) => Answer<CommitReport>,
): ShardStore {
  return {
    epoch: store.epoch,
    recover: (now) => store.recover(now),
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
    commit: (batch) => commit(batch, () => store.commit(batch)),
    expireOutcomes: (now, limit) => store.expireOutcomes(now, limit),
    compact: () => store.compact(),
    close: () => store.close(),
  }
}
