/** Mutants of timers. */
import type { Mutant } from './mutant.ts'

/** Ticks that are void, early, doubled or too many. */
export const timers: readonly Mutant[] = [
  {
    name: 'cancel-misses-queued-tick',
    claim: 'a cancel, or a new setting, leaves a tick alone that is already queued',
    guarantee: 'G9',
    file: 'packages/kernel/src/shard/timers.ts',
    from: `    queued.isCancelled = true
`,
    to: '',
  },
  {
    name: 'timer-early',
    claim: 'when a timer rings, those that are not due yet ring too',
    guarantee: 'G9',
    file: 'packages/kernel/src/shard/timers.ts',
    from: 'core.store.dueTimers(core.clock.wall(), limit)',
    to: 'core.store.dueTimers(Number.MAX_SAFE_INTEGER, limit)',
  },
  {
    name: 'tick-row-stays',
    claim: 'the row of a timer that rings once stays in the store',
    guarantee: 'G9',
    file: 'packages/kernel/src/shard/timers.ts',
    from: 'if (everyMs === 0) this.#core.batch.timersCleared.push({ actor, name, generation })\n    else this.#set(',
    to: 'if (everyMs !== 0) this.#set(',
  },
  {
    name: 'missed-ticks-all-ring',
    claim: 'a periodic timer rings once for each tick that was missed',
    guarantee: 'G9',
    file: 'packages/kernel/src/shard/timers.ts',
    from: 'return dueAt + everyMs * Math.max(1, Math.floor((now - dueAt) / everyMs) + 1)',
    to: 'return dueAt + everyMs',
  },
  {
    name: 'timer-not-armed',
    claim: 'after a restart nobody waits for the timers that are in the store',
    guarantee: 'G9',
    file: 'packages/kernel/src/shard/shard.ts',
    from: `    this.#parts.timers.arm()
    this.#parts.schedule.arm()`,
    to: '    this.#parts.schedule.arm()',
  },
  {
    name: 'timer-begins-anew-ignored',
    claim: 'a timer that is to begin anew after a restart keeps its deadline',
    guarantee: 'G9',
    file: 'packages/store/src/memory/shard.ts',
    from: `    timers.restart(Math.max(now, shard.committedAt), undo)
`,
    to: '',
  },
  {
    name: 'remaining-time-moved-twice',
    claim: 'a timer that keeps its remaining time is moved once more when two restarts have no commit between them',
    guarantee: 'G9',
    file: 'packages/store/src/memory/shard.ts',
    from: 'const since = Math.max(shard.committedAt, shard.recoveredAt)',
    to: 'const since = shard.committedAt',
  },
]
