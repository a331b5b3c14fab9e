/** Mutants of the caller's side, and of closing. */
import type { Mutant } from './mutant.ts'

/** Answers that reach the wrong caller, or say what nobody knows. */
export const callers: readonly Mutant[] = [
  {
    name: 'call-numbers-reused',
    claim: 'the number of a call that is over is given to a new one, so that a late answer reaches the wrong caller',
    guarantee: 'G2',
    file: 'packages/kernel/src/system/shard-client.ts',
    from: `      this.#lastCall += 1
      const sent`,
    to: `      for (this.#lastCall = 1; this.#pending.has(this.#lastCall); this.#lastCall += 1);
      const sent`,
  },
  {
    name: 'timeout-called-a-refusal',
    claim: 'a call whose time is over is told that it was rejected',
    guarantee: 'G2',
    file: 'packages/kernel/src/system/shard-client.ts',
    from: '? new AskTimeout(subject.address, subject.command, durationMs)',
    to: "? new MailboxFull(subject.address, 'shard', durationMs)",
  },
  {
    name: 'calls-of-a-dead-thread-wait',
    claim: 'calls that a thread has taken with it wait for its successor, which does not know them',
    guarantee: 'G11',
    file: 'packages/kernel/src/system/shard-client.ts',
    from: 'this.#rejectAll(error, (call) => !unsent.has(call))',
    to: 'this.#rejectAll(error, (call) => unsent.has(call))',
  },
  {
    name: 'closed-call-denied',
    claim: 'a call that was under way when the system closed is told that it was never sent',
    guarantee: 'G13',
    file: 'packages/kernel/src/system/shard-client.ts',
    from: 'this.fail(new SystemClosed(true))',
    to: 'this.fail(new SystemClosed(false))',
  },
  {
    name: 'drain-leaves-a-backlog',
    claim: 'a drain does not wait for what waits in mailboxes',
    guarantee: 'G13',
    file: 'packages/kernel/src/system/closing.ts',
    from: 'if (this.#waiting === 0 && isAccepted && (isIdle || isQuiet)) return',
    to: 'if (isAccepted && (isIdle || isQuiet)) return',
  },
  {
    name: 'closing-cuts-turns-off',
    claim: 'a shard closes while turns of it run',
    guarantee: 'G13',
    file: 'packages/kernel/src/shard/shard.ts',
    from: "if (this.#state === 'closing' && this.#parts.turns.running === 0) void this.#shutDown()",
    to: "if (this.#state === 'closing') void this.#shutDown()",
  },
]
