/** What operators do with dead letters: read them, send their messages again, discard them. */
import type { Answer, DeadLetter, DeadLetterFilter } from '@bailiwick/store'
import type { ShardCore } from './core.ts'
import type { LetterDetail } from './dead-letters.ts'
import { deliver } from './parcels.ts'

/** A dead letter as it leaves the shard. */
export interface LetterView {
  readonly shard: number
  readonly sequence: number
  readonly type: string
  readonly key: string
  readonly command: string
  readonly reason: string
  readonly error: unknown
  readonly input: unknown
  readonly from: string | null
  readonly isEffect: boolean
  /** Revision of the actor whose state could not take it; null where no actor was asked. */
  readonly revision: number | null
  readonly at: number
}

/** The committed letters that match, the latest first. */
export function list(core: ShardCore, filter: DeadLetterFilter, limit: number): Answer<readonly LetterView[]> {
  const found = core.store.deadLetters(filter, limit)
  const view = (letters: readonly DeadLetter[]): readonly LetterView[] => letters.map((letter) => viewOf(core, letter))
  return found instanceof Promise ? found.then(view) : view(found)
}

/** Sends the messages of the letters that match again, and takes the letters out, in one commit. Answers how many. */
export function replay(core: ShardCore, letters: readonly DeadLetter[]): number {
  // The oldest first, as they were sent.
  const waiting = letters.toReversed().filter(({ sequence }) => !core.leavingLetters.has(sequence))
  for (const letter of waiting) replayOne(core, letter)
  return waiting.length
}

/** Takes the letters that match out. Answers how many. */
export function discard(core: ShardCore, letters: readonly DeadLetter[]): number {
  const waiting = letters.filter(({ sequence }) => !core.leavingLetters.has(sequence))
  for (const { sequence } of waiting) takeOut(core, sequence)
  return waiting.length
}

/** Takes a letter out as part of the open batch. */
export function takeOut(core: ShardCore, sequence: number): void {
  core.leavingLetters.add(sequence)
  core.batch.deadLettersRemoved.push(sequence)
}

function replayOne(core: ShardCore, letter: DeadLetter): void {
  takeOut(core, letter.sequence)
  const { lane, idempotency, effect, dueAt, ...detail } = detailOf(letter)
  const { type, key, command } = letter
  if (effect !== undefined) {
    const { idempotencyKey, label, behalf } = effect
    core.effects.promise({ name: command, type, key, idempotencyKey, label, input: letter.input, detail: behalf, delayMs: 0 })
    return
  }
  const input = JSON.parse(letter.input) as object | null // Written by `bury`.
  deliver(core, { type, key, command, lane: lane ?? 2, input, idempotency, dueAt, detail })
}

function viewOf(core: ShardCore, letter: DeadLetter): LetterView {
  const { sequence, type, key, command, reason, at } = letter
  const { from, effect } = detailOf(letter)
  return {
    shard: core.index,
    sequence,
    type: core.kindOf(type)?.definition.type ?? type,
    key,
    command,
    reason,
    error: JSON.parse(letter.error),
    input: JSON.parse(letter.input),
    from: from ?? null,
    isEffect: effect !== undefined,
    revision: letter.revision ?? null,
    at,
  }
}

function detailOf(letter: DeadLetter): LetterDetail {
  return JSON.parse(letter.detail) as LetterDetail // Written by `bury`.
}
