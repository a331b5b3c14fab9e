/** Mutants of turns and leases. */
import type { Mutant } from './mutant.ts'

/** Turns that overlap, start from the wrong place or end twice; leases with two holders. */
export const turns: readonly Mutant[] = [
  {
    name: 'resume-before-hand-over',
    claim: 'the next turn begins as soon as the running one is signalled, before that has come to a boundary',
    guarantee: 'G7',
    file: 'packages/kernel/src/shard/turn-service.ts',
    from: 'if (session.holder !== undefined || core.turns.isClosing) return',
    to: 'if ((session.holder !== undefined && session.holder.intent === undefined) || core.turns.isClosing) return',
  },
  {
    name: 'late-result-accepted',
    claim: 'the result of a stretch whose epoch is over counts if the same turn runs again',
    guarantee: 'G7',
    file: 'packages/kernel/src/shard/turn-service.ts',
    from: 'return holder?.id === id && holder.epoch === epoch ? holder : undefined',
    to: 'return holder?.id === id && holder.epoch >= epoch ? holder : undefined',
  },
  {
    name: 'turn-epoch-not-raised',
    claim: 'a stretch gets the epoch of the one before',
    guarantee: 'G7',
    file: 'packages/kernel/src/shard/session.ts',
    from: `    this.epoch += 1
    if (record.state === 'parked') {`,
    to: `    this.epoch = Math.max(1, this.epoch)
    if (record.state === 'parked') {`,
  },
  {
    name: 'frame-lost',
    claim: 'a checkpoint is acknowledged and not stored',
    guarantee: 'G7',
    file: 'packages/kernel/src/shard/turn-service.ts',
    from: `        core.batch.framesSaved.set(record.id, frame)
`,
    to: '',
  },
  {
    name: 'checkpoint-before-commit',
    claim: 'a checkpoint is acknowledged when it is served, before it is committed',
    guarantee: 'G7',
    file: 'packages/kernel/src/shard/turn-service.ts',
    from: 'core.batch.checkpoints.push({ news, stale: record === undefined ? staleOf(cell, news) : undefined })',
    to: 'news.done(record === undefined ? staleOf(cell, news) : undefined)',
  },
  {
    name: 'frame-of-an-aborted-stretch',
    claim: 'a turn that is aborted and kept goes on from the frame of the aborted stretch',
    guarantee: 'G7',
    file: 'packages/kernel/src/shard/turn-service.ts',
    from: `    case 'abort-keep':
      discardFrame(core, record)
`,
    to: `    case 'abort-keep':
`,
  },
  {
    name: 'intent-forgotten',
    claim: 'what is to become of an interrupted turn is not in the store, and is forgotten by a crash',
    guarantee: 'G7',
    file: 'packages/kernel/src/shard/preemption.ts',
    from: `  record.intent = { mode, by, at: core.batch.at }
  saveTurn(core, cell, record)
`,
    to: `  record.intent = { mode, by, at: core.batch.at }
`,
  },
  {
    name: 'weaker-intent-wins',
    claim: 'a steal that comes after an abort takes its place',
    guarantee: 'G7',
    file: 'packages/kernel/src/shard/session.ts',
    from: 'return intent === undefined || STRENGTH[mode] > STRENGTH[intent.mode]',
    to: 'return intent === undefined || mode !== intent.mode',
  },
  {
    name: 'running-turn-recovered',
    claim: 'a turn that runs on while its actor is read again is taken for one that was cut off',
    guarantee: 'G7',
    file: 'packages/kernel/src/shard/turn-service.ts',
    from: 'if (session === undefined || record === undefined || core.turns.isLive(record.id, record.epoch)) return',
    to: 'if (session === undefined || record === undefined) return',
  },
  {
    name: 'parked-turn-waits-longest',
    claim: 'a parked turn resumes after those of its own rank that have come later',
    guarantee: 'G7',
    file: 'packages/kernel/src/shard/session.ts',
    from: "if ((one.state === 'parked') !== (other.state === 'parked')) return one.state === 'parked'",
    to: "if ((one.state === 'parked') !== (other.state === 'parked')) return other.state === 'parked'",
  },
  {
    name: 'equal-rank-preempts',
    claim: 'a command interrupts a turn of its own rank',
    guarantee: 'G7',
    file: 'packages/kernel/src/shard/session.ts',
    from: 'return target.isPreemptible && rank < target.rank',
    to: 'return target.isPreemptible && rank <= target.rank',
  },
  {
    name: 'turn-outcome-not-recorded',
    claim: 'the outcome of a turn with a key is not recorded',
    guarantee: 'G3',
    file: 'packages/kernel/src/shard/turn-service.ts',
    from: 'const settlement: Settlement = { value: outcome, isRecorded: isFinal, letter: error }',
    to: 'const settlement: Settlement = { value: outcome, isRecorded: isFinal && error !== undefined, letter: error }',
  },
  {
    name: 'lease-epoch-unchecked',
    claim: 'a command under a lease counts if anybody holds the lease',
    guarantee: 'G7',
    file: 'packages/kernel/src/shard/lease-fence.ts',
    from: 'if (lease?.epoch === epoch && isHeld(lease, core.clock.wall())) return undefined',
    to: 'if (lease !== undefined && isHeld(lease, core.clock.wall())) return undefined',
  },
  {
    name: 'lease-epoch-not-raised',
    claim: 'a lease that is given to somebody else keeps its epoch',
    guarantee: 'G7',
    file: 'packages/kernel/src/shard/lease.ts',
    from: 'epoch: isSame ? lease.epoch : lease.epoch + 1,',
    to: 'epoch: isSame ? lease.epoch : Math.max(1, lease.epoch),',
  },
  {
    name: 'lost-lease-renewed',
    claim: 'an owner whose lease has been given to another renews it',
    guarantee: 'G7',
    file: 'packages/kernel/src/shard/lease-service.ts',
    from: `      requireOwner(cell, lease, control, now)
      give(core, cell, hosted, lease, control.owner, control.ttlMs)`,
    to: `      if (!isHeld(lease, now)) requireOwner(cell, lease, control, now)
      give(core, cell, hosted, lease, control.owner, control.ttlMs)`,
  },
  {
    name: 'lease-for-the-last-in-line',
    claim: 'a lease goes to the one who waits for the shortest time',
    guarantee: 'G7',
    file: 'packages/kernel/src/shard/lease-queue.ts',
    from: 'const waiter = this.#queues.get(id)?.[0]?.waiter',
    to: 'const waiter = this.#queues.get(id)?.at(-1)?.waiter',
  },
]
