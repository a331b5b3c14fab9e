/** Mutants of effects. */
import type { Mutant } from './mutant.ts'

/** What is performed too early, too often or under another name, or is not heard of. */
export const effects: readonly Mutant[] = [
  {
    name: 'claim-not-stored',
    claim: 'an attempt begins without a claim in the store',
    guarantee: 'G10',
    file: 'packages/kernel/src/shard/batch.ts',
    from: `    for (const sequence of this.claims.keys()) this.effectsClaimed.push(sequence)
`,
    to: '',
  },
  {
    name: 'attempt-before-claim',
    claim: 'an attempt begins before its claim is committed',
    guarantee: 'G10',
    file: 'packages/kernel/src/shard/effects.ts',
    from: `      batch.claims.set(row.sequence, { queue, row })
`,
    to: `      this.#begin(queue, row)
      if (row.sequence > 0) continue
      batch.claims.set(row.sequence, { queue, row })
`,
  },
  {
    name: 'cancel-misses-a-claim',
    claim: 'an effect that is cancelled in the batch that claims it is tried all the same',
    guarantee: 'G10',
    file: 'packages/kernel/src/shard/effects.ts',
    from: `      batch.claims.delete(sequence)
      queue.claiming -= 1`,
    to: '      if (row.attempts > 0 && batch.claims.delete(sequence)) queue.claiming -= 1',
  },
  {
    name: 'another-key-at-the-retry',
    claim: 'the second attempt of an effect comes under another idempotency key',
    guarantee: 'G10',
    file: 'packages/kernel/src/shard/effects.ts',
    from: `      input: JSON.parse(input) as never, // Checked by the definition's schema.
      idempotencyKey,`,
    to: `      input: JSON.parse(input) as never, // Checked by the definition's schema.
      idempotencyKey: attempt === 1 ? idempotencyKey : \`\${idempotencyKey}-\${attempt}\`,`,
  },
  {
    name: 'late-effect-result-counts',
    claim: 'the result of an attempt that has timed out counts',
    guarantee: 'G10',
    file: 'packages/kernel/src/shard/effects.ts',
    from: `    if (running.get(end.row.sequence) !== run) {
      if ('output' in end.result)`,
    to: `    if (this.#isClosed) {
      if ('output' in end.result)`,
  },
  {
    name: 'probe-not-asked',
    claim: 'after a crash an effect is performed again without asking its probe',
    guarantee: 'G10',
    file: 'packages/kernel/src/shard/effects.ts',
    from: 'return row.isClaimed || (row.detail !== undefined && ',
    to: 'return (row.detail !== undefined && ',
  },
  {
    name: 'effect-end-lost',
    claim: 'the end of an attempt is forgotten if the commit that has it fails',
    guarantee: 'G10',
    file: 'packages/kernel/src/shard/effects.ts',
    from: `    for (const end of batch.ends) this.#record(end)
`,
    to: '',
  },
  {
    name: 'effect-not-settled',
    claim: 'an effect that is done stays promised, and is tried again after a restart',
    guarantee: 'G10',
    file: 'packages/kernel/src/shard/effects.ts',
    from: `      core.batch.effectsSettled.push(sequence)
      tap(core, { kind: 'effect.done'`,
    to: `      tap(core, { kind: 'effect.done'`,
  },
]
