/** Mutants of batches, commits, answers and idempotency keys. */
import type { Mutant } from './mutant.ts'

/** What is said before it is true, or stays said although it is not. */
export const answers: readonly Mutant[] = [
  {
    name: 'answers-before-commit',
    claim: 'answers leave when the batch is sealed, before it is committed',
    guarantee: 'G2',
    file: 'packages/kernel/src/shard/shard.ts',
    from: `      const rows = seal(core, batch)
`,
    to: `      const rows = seal(core, batch)
      this.#send(batch.answers.splice(0))
`,
  },
  {
    name: 'answers-of-a-failed-commit',
    claim: 'the answers of a batch leave although its commit has failed',
    guarantee: 'G2',
    file: 'packages/kernel/src/shard/commit.ts',
    from: 'of batch.answers.splice(0)) {',
    to: 'of [...batch.answers]) {',
  },
  {
    name: 'actions-before-commit',
    claim: 'actions run when a step is accepted, before the batch is committed',
    guarantee: 'G1',
    file: 'packages/kernel/src/shard/service.ts',
    from: 'if (step.actions.length > 0) core.batch.releases.push({ cell, actions: step.actions, chain: chain() })',
    to: `if (step.actions.length === 0) return
  if (cell.hosted === undefined) core.batch.releases.push({ cell, actions: step.actions, chain: chain() })
  else cell.kind.host.release(cell.hosted, step.actions)`,
  },
  {
    name: 'changes-before-commit',
    claim: 'those who follow an actor see its new state before it is committed',
    guarantee: 'G1',
    file: 'packages/kernel/src/shard/commit.ts',
    from: 'for (const call of calls) batch.answersOf(cell).push([FromShard.change, call, view])',
    to: 'for (const call of calls) batch.volatileAnswers.push([FromShard.change, call, view])',
  },
  {
    name: 'roll-back-forgotten',
    claim: 'after a failed commit the actors of the batch keep the state that it would have given them',
    guarantee: 'G3',
    file: 'packages/kernel/src/shard/commit.ts',
    from: `    if (cell.kind.isDurable) forget(core, cell)
    core.ready.add(cell)`,
    to: '    core.ready.add(cell)',
  },
  {
    name: 'rolled-back-in-reverse',
    claim: 'after a failed commit the stored commands of the batch wait again in reverse order',
    guarantee: 'G5',
    file: 'packages/kernel/src/shard/commit.ts',
    from: 'for (const waiting of batch.served.toReversed()) {',
    to: 'for (const waiting of batch.served) {',
  },
  {
    name: 'rolled-back-commands-lost',
    claim: 'after a failed commit the stored commands of the batch do not wait again',
    guarantee: 'G2',
    file: 'packages/kernel/src/shard/commit.ts',
    from: `    waiting.cell.openMailbox().putBack(waiting.lane, waiting)
    if (!waiting.cell.isHeld) core.waiting.add(waiting)
`,
    to: '',
  },
  {
    name: 'record-dropped',
    claim: 'the outcome of a command with a key is known to its batch only, and not recorded',
    guarantee: 'G3',
    file: 'packages/kernel/src/shard/calls.ts',
    from: `  core.batch.outcomes.push({ scope, key, fingerprint, outcome, expiresAt })
`,
    to: '',
  },
  {
    name: 'records-of-the-batch-not-seen',
    claim: 'a repeat that comes into the same batch as the first does not find its record',
    guarantee: 'G3',
    file: 'packages/kernel/src/shard/natural.ts',
    from: '`) ?? core.store.outcome(scope, key, core.batch.at)',
    to: ' of no batch`) ?? core.store.outcome(scope, key, core.batch.at)',
  },
  {
    name: 'fingerprint-unchecked',
    claim: 'a key that comes with another input gets the recorded answer of the first',
    guarantee: 'G3',
    file: 'packages/kernel/src/shard/service.ts',
    from: 'if (recorded.fingerprint !== waiting.idempotency?.fingerprint) {',
    to: `if (waiting.idempotency === undefined) {`,
  },
  {
    name: 'join-lost',
    claim: 'a repeat of a command whose reply is still open is executed instead of joining it',
    guarantee: 'G3',
    file: 'packages/kernel/src/shard/calls.ts',
    from: 'call.idempotency?.key === idempotency.key) return call',
    to: 'call.idempotency === idempotency) return call',
  },
]
