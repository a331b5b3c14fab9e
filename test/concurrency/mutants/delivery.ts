/** Mutants of the ways of messages: links, mailboxes, lanes, the inbox, names, dead letters. */
import type { Mutant } from './mutant.ts'

/** Messages that are lost, doubled, late or out of order. */
export const delivery: readonly Mutant[] = [
  {
    name: 'confirmed-before-commit',
    claim: 'a message from another shard is confirmed when it is taken, before it is committed',
    guarantee: 'G3',
    file: 'packages/kernel/src/shard/links.ts',
    from: `    peer.askedAt = undefined
    this.#core.batch.admitted.set(peer.index, sequence)`,
    to: `    peer.askedAt = undefined
    peer.received = sequence
    peer.owesConfirm = true
    this.#core.batch.admitted.set(peer.index, sequence)`,
  },
  {
    name: 'lost-message-not-sent-again',
    claim: 'a message to another shard that is lost on the way, with none after it, is not sent again',
    guarantee: 'G3',
    file: 'packages/kernel/src/shard/links.ts',
    from: `      for (const { peer, confirmed } of waiting) if (peer.window.size > 0 && peer.confirmed === confirmed) this.resend(peer.index)
`,
    to: '',
  },
  {
    name: 'repetition-taken',
    claim: 'a message from another shard that comes twice is handled twice',
    guarantee: 'G3',
    file: 'packages/kernel/src/shard/links.ts',
    from: 'if (sequence !== peer.taken + 1) {',
    to: 'if (sequence > peer.taken + 1) {',
  },
  {
    name: 'gap-not-noticed',
    claim: 'a message from another shard is taken although one before it is missing',
    guarantee: 'G3',
    file: 'packages/kernel/src/shard/links.ts',
    from: 'if (sequence !== peer.taken + 1) {',
    to: 'if (sequence <= peer.taken) {',
  },
  {
    name: 'posts-in-reverse',
    claim: 'messages of one batch to another shard get their positions in reverse order',
    guarantee: 'G5',
    file: 'packages/kernel/src/shard/links.ts',
    from: 'for (const { peer, message } of batch.posts) {',
    to: 'for (const { peer, message } of batch.posts.toReversed()) {',
  },
  {
    name: 'lane-last-first',
    claim: 'a command goes to the front of its lane',
    guarantee: 'G5',
    file: 'packages/kernel/src/shard/mailbox.ts',
    from: `  restore(lane: Lane, element: T): void {
    this.#laneAt(lane).push(element)`,
    to: `  restore(lane: Lane, element: T): void {
    this.#laneAt(lane).unshift(element)`,
  },
  {
    name: 'postponed-in-reverse',
    claim: 'postponed commands come back in reverse order',
    guarantee: 'G5',
    file: 'packages/kernel/src/shard/mailbox.ts',
    from: 'of postponed.toReversed()) this',
    to: 'of postponed) this',
  },
  {
    name: 'starvation-bound-off-by-one',
    claim: 'a low command is overtaken once more than the bound allows',
    guarantee: 'G6',
    file: 'packages/kernel/src/shard/lanes.ts',
    from: 'if (low && this.#low >= this.#starvationBound) return 3',
    to: 'if (low && this.#low > this.#starvationBound) return 3',
  },
  {
    name: 'urgency-ignored',
    claim: 'a normal command goes before a high one that waits',
    guarantee: 'G6',
    file: 'packages/kernel/src/shard/lanes.ts',
    from: `    if (high) return 1
    if (normal) return 2
`,
    to: `    if (normal) return 2
    if (high) return 1
`,
  },
  {
    name: 'capacity-off-by-one',
    claim: 'a mailbox takes one command more than its capacity',
    guarantee: 'G12',
    file: 'packages/kernel/src/shard/mailbox.ts',
    from: '    return this.#size >= this.#capacity',
    to: '    return this.#size > this.#capacity',
  },
  {
    name: 'edit-not-stored',
    claim: 'a new input under the natural key of a command that waits is acknowledged and not stored',
    guarantee: 'G3',
    file: 'packages/kernel/src/shard/natural.ts',
    from: 'core.batch.inboxChanges.push({ sequence: found.sequence, input: JSON.stringify(found.input), detail: encodeDetail(found.detail) })',
    to: 'core.batch.wantsCommit = true',
  },
  {
    name: 'delivery-not-recorded',
    claim: 'deliveries of a command that was handled are not remembered',
    guarantee: 'G3',
    file: 'packages/kernel/src/shard/natural.ts',
    from: `  for (const delivery of names.deliveries ?? []) recordName(core, scopeFor('delivery', cell, command), delivery)
`,
    to: '',
  },
  {
    name: 'tell-acknowledged-unstored',
    claim: 'a tell to an actor in memory is acknowledged without a row in the inbox',
    guarantee: 'G2',
    file: 'packages/kernel/src/shard/commit.ts',
    from: `  if (!cell.kind.isDurable) return
  waiting.sequence = core.takeSequence()`,
    to: `  if (!cell.kind.isDurable || cell.hosted !== undefined) return
  waiting.sequence = core.takeSequence()`,
  },
  {
    name: 'inbox-row-not-deleted',
    claim: 'the row of a tell stays in the inbox when the tell is handled',
    guarantee: 'G3',
    file: 'packages/kernel/src/shard/service.ts',
    from: `  core.batch.finished.push(waiting.sequence)
`,
    to: '',
  },
  {
    name: 'delayed-command-early',
    claim: 'after a restart commands that were sent for later are handled at once',
    guarantee: 'G5',
    file: 'packages/store/src/memory/tables/inbox.ts',
    from: 'const waiting = [...this.#rows.values()].filter((row) => row.dueAt === undefined)',
    to: 'const waiting = [...this.#rows.values()]',
  },
  {
    name: 'delayed-command-twice',
    claim: 'a command that was sent for later and waits in its mailbox is read from the store once more',
    guarantee: 'G3',
    file: 'packages/kernel/src/shard/schedule.ts',
    from: `      if (this.#queued.has(row.sequence)) continue
`,
    to: '',
  },
  {
    name: 'letter-not-kept',
    claim: 'a tell that its actor cannot handle leaves no dead letter',
    guarantee: 'G3',
    file: 'packages/kernel/src/shard/dead-letters.ts',
    from: 'if (kind?.isDurable === false) {',
    to: 'if (kind?.isDurable !== undefined) {',
  },
  {
    name: 'replayed-letter-stays',
    claim: 'a dead letter that is replayed stays where it is, and is replayed again',
    guarantee: 'G3',
    file: 'packages/kernel/src/shard/letters.ts',
    from: `  takeOut(core, letter.sequence)
`,
    to: '',
  },
]
