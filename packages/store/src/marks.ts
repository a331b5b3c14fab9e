/**
 * High-water marks of a batch: the largest number, sequence and generation in it. Both drivers keep them for ever, so that
 * none is given twice, even when the rows that had it are gone.
 */
import type { Batch } from './store.ts'

/** The largest actor number that a batch creates, 0 if it creates none. */
export function actorNumberOf(batch: Batch): number {
  let mark = 0
  for (const actor of batch.created) if (actor.number > mark) mark = actor.number
  return mark
}

/** The largest sequence among everything in a batch that is counted by the shard's one counter, 0 if there is nothing of that kind. */
export function sequenceOf(batch: Batch): number {
  let mark = 0
  for (const command of batch.accepted) if (command.sequence > mark) mark = command.sequence
  for (const call of batch.callsOpened) if (call.sequence > mark) mark = call.sequence
  for (const turn of batch.turns) if (turn.sequence > mark) mark = turn.sequence
  for (const late of batch.lateResults) if (late.sequence > mark) mark = late.sequence
  for (const child of batch.processes) if (child.sequence > mark) mark = child.sequence
  for (const effect of batch.effects) if (effect.sequence > mark) mark = effect.sequence
  for (const letter of batch.deadLetters) if (letter.sequence > mark) mark = letter.sequence
  return mark
}

/** The largest timer generation that a batch sets, 0 if it sets none. */
export function timerGenerationOf(batch: Batch): number {
  let mark = 0
  for (const timer of batch.timersSet) if (timer.generation > mark) mark = timer.generation
  return mark
}
