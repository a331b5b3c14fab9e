/** A store that answers every question with a promise, as one behind a network would. For showing that the kernel can wait. */
import type { Answer, ShardStore } from '@bailiwick/store'

/** Wraps a store so that each answer comes after a wait: as many rounds of the event loop as a number says, or until a promise resolves. */
export function laterStore(store: ShardStore, wait: () => number | Promise<void>): ShardStore {
  const later = async <T>(ask: () => Answer<T>): Promise<T> => {
    const until = wait()
    if (typeof until !== 'number') await until
    else for (let left = until; left > 0; left -= 1) await new Promise((resolve) => setImmediate(resolve))
    return await ask()
  }
  return {
    epoch: store.epoch,
    recover: (now) => later(() => store.recover(now)),
    load: (type, key) => later(() => store.load(type, key)),
    outcome: (scope, key, now) => later(() => store.outcome(scope, key, now)),
    dueTimers: (now, limit) => later(() => store.dueTimers(now, limit)),
    nextDueAt: () => later(() => store.nextDueAt()),
    timersOf: (type, key) => later(() => store.timersOf(type, key)),
    dueCommands: (now, limit) => later(() => store.dueCommands(now, limit)),
    nextCommandDueAt: () => later(() => store.nextCommandDueAt()),
    outboxTo: (peer, after, limit) => later(() => store.outboxTo(peer, after, limit)),
    dueEffects: (name, now, limit) => later(() => store.dueEffects(name, now, limit)),
    nextEffectDueAt: (name) => later(() => store.nextEffectDueAt(name)),
    turnsOf: (type, key, limit) => later(() => store.turnsOf(type, key, limit)),
    lateResults: (actor, limit) => later(() => store.lateResults(actor, limit)),
    deadLetters: (filter, limit) => later(() => store.deadLetters(filter, limit)),
    commit: (batch) => later(() => store.commit(batch)),
    expireOutcomes: (now, limit) => later(() => store.expireOutcomes(now, limit)),
    compact: () => later(() => store.compact()),
    close: () => later(() => store.close()),
  }
}
