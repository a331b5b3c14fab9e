/** Mutants of supervision: failures, restarts, quarantine, poison. */
import type { Mutant } from './mutant.ts'

/** Failures that spread, are forgotten or never end. */
export const supervision: readonly Mutant[] = [
  {
    name: 'window-forgotten',
    claim: 'each failure of an actor counts as its first',
    guarantee: 'G11',
    file: 'packages/kernel/src/shard/supervisor.ts',
    from: 'const failures = [...withinWindow(before?.failures ?? [], withinMs, now), now].slice(',
    to: 'const failures = [now].slice(',
  },
  {
    name: 'failures-off-by-one',
    claim: 'an actor is restarted once more than its definition allows',
    guarantee: 'G11',
    file: 'packages/kernel/src/shard/supervisor.ts',
    from: 'if (failures.length > maxRestarts || ',
    to: 'if (failures.length > maxRestarts + 1 || ',
  },
  {
    name: 'quarantine-forgotten',
    claim: 'a restart of the shard forgets which actors are held back',
    guarantee: 'G11',
    file: 'packages/kernel/src/shard/supervisor.ts',
    from: 'const fault = decodeFault(row)',
    to: 'const fault = { ...decodeFault(row), held: undefined as Held | undefined }',
  },
  {
    name: 'mailbox-lost-at-restart',
    claim: 'what waits for an actor is lost when the actor leaves memory',
    guarantee: 'G11',
    file: 'packages/kernel/src/shard/commit.ts',
    from: '  cell.mailbox?.resume()\n',
    to: '  cell.mailbox = undefined\n',
  },
  {
    name: 'poison-tried-for-ever',
    claim: 'a stored command that has ended threads is tried again by every thread that comes',
    guarantee: 'G11',
    file: 'packages/kernel/src/system/thread-guilt.ts',
    from: 'this.#poison = [...this.#poison, found].slice(-REMEMBERED_MAX)',
    to: 'this.#poison = [...this.#poison].slice(-REMEMBERED_MAX)',
  },
  {
    name: 'quarantined-tells-dropped',
    claim: 'what waits for an actor is lost when the actor is quarantined',
    guarantee: 'G11',
    file: 'packages/kernel/src/shard/held.ts',
    from: `  for (const waiting of kept) cell.openMailbox().restore(waiting.lane, waiting)
`,
    to: '',
  },
  {
    name: 'failed-step-kept',
    claim: 'a command whose reply throws has changed its actor all the same',
    guarantee: 'G4',
    file: 'packages/kernel/src/shard/service.ts',
    from: `  const reply = isHeard ? replyOf(core, cell, waiting, step.snapshot, event) : undefined
  accept(core, cell, hosted, step, event, () => chainThrough(cell, waiting))
`,
    to: `  accept(core, cell, hosted, step, event, () => chainThrough(cell, waiting))
  const reply = isHeard ? replyOf(core, cell, waiting, step.snapshot, event) : undefined
`,
  },
]
