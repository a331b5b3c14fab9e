/** Mutants of the memory store, and of what the kernel reads back from a store. */
import type { Mutant } from './mutant.ts'

/** Owners that are not fenced, writes that are not taken back, actors that come back as they were not. */
export const store: readonly Mutant[] = [
  {
    name: 'fence-not-checked',
    claim: 'an owner whose shard has been taken by another goes on to commit',
    guarantee: 'G8',
    file: 'packages/store/src/memory/shard.ts',
    from: 'if (this.#shard.epoch !== this.epoch) throw new Fenced(this.epoch, this.#shard.epoch)',
    to: 'if (this.#shard.epoch < this.epoch) throw new Fenced(this.epoch, this.#shard.epoch)',
  },
  {
    name: 'epoch-not-raised',
    claim: 'a new owner of a shard has the epoch of the old one',
    guarantee: 'G8',
    file: 'packages/store/src/memory/shard.ts',
    from: '  shard.epoch += 1\n',
    to: '  shard.epoch = Math.max(1, shard.epoch)\n',
  },
  {
    name: 'undo-missing',
    claim: 'a power failure takes everything of a write back but the changed actors',
    guarantee: 'G3',
    file: 'packages/store/src/memory/tables/actor.ts',
    from: `    undo.push(() => this.#actors.set(before.number, before))
`,
    to: '',
  },
  {
    name: 'records-expire-early',
    claim: 'records of outcomes are deleted before their time is over',
    guarantee: 'G3',
    file: 'packages/store/src/memory/tables/outcome.ts',
    from: 'row !== undefined && row.expiresAt <= now && count < limit;',
    to: 'row !== undefined && count < limit;',
  },
  {
    name: 'journal-event-skipped',
    claim: 'the first event after the snapshot is not replayed when an actor comes into memory',
    guarantee: 'G2',
    file: 'packages/kernel/src/shard/activation.ts',
    from: 'for (const event of stored.events) {',
    to: 'for (const event of stored.events.slice(1)) {',
  },
  {
    name: 'journal-revision-too-small',
    claim: 'an actor with a journal comes into memory with the revision of its snapshot',
    guarantee: 'G2',
    file: 'packages/kernel/src/shard/activation.ts',
    from: 'cell.revision = stored.revision + stored.events.length',
    to: 'cell.revision = stored.revision',
  },
  {
    name: 'open-calls-forgotten',
    claim: 'an actor comes into memory without the calls that it has not answered',
    guarantee: 'G3',
    file: 'packages/kernel/src/shard/activation.ts',
    from: `  cell.openCalls = decodeOpenCalls(stored.openCalls)
`,
    to: '',
  },
]
