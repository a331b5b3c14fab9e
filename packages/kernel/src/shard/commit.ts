/**
 * From an open batch to the rows of a commit, and back to memory if the commit fails.
 *
 * Whatever a batch holds in memory only becomes true when the store has it. If it does not, `rollBack` forgets the
 * actors that the batch touched (they are read from the store again) and lets stored commands wait again in their
 * old order.
 */
import type { Batch } from '@bailiwick/store'
import { NotSerializable, encodeError, messageOf } from '../errors.ts'
import type { EncodedError } from '../errors.ts'
import { FromShard } from '../protocol/from-shard.ts'
import type { OpenBatch } from './batch.ts'
import type { Cell, TurnNews, Waiting } from './cell.ts'
import type { ShardCore } from './core.ts'
import { encodeDetail } from './detail.ts'
import { nameWaiting, unnameWaiting } from './natural.ts'

/** Fills in the rows of everything that the batch touched. Throws `NotSerializable` if a state cannot be written. */
export function seal(core: ShardCore, batch: OpenBatch): Batch {
  for (const waiting of batch.tells) {
    if (!waiting.isFinished && !waiting.isWithdrawn) acceptTell(core, batch, waiting)
  }
  core.links.seal(batch)
  batch.settleRows()
  if (batch.deadLetters.length > 0) {
    const kept = core.deadLetters + batch.deadLetters.length - batch.deadLettersRemoved.length
    batch.deadLettersTrimmed = Math.max(0, kept - core.limits.deadLetters)
  }
  for (const cell of batch.touched) {
    if (!cell.isDirty) continue
    tellFollowers(core, batch, cell)
    if (cell.kind.isDurable) writeSnapshot(core, batch, cell)
  }
  if (batch.hasWrites) core.links.deleteConfirmed(batch)
  return batch
}

/** The id of a stored command: unique in the shard for ever. */
export function inboxId(core: ShardCore, sequence: number): string {
  return `${core.store.epoch.toString(36)}-${sequence.toString(36)}`
}

function acceptTell(core: ShardCore, batch: OpenBatch, waiting: OpenBatch['tells'][number]): void {
  const { cell, command } = waiting
  if (waiting.call !== 0) batch.answersOf(cell).push([FromShard.value, waiting.call])
  waiting.call = 0
  if (!cell.kind.isDurable) return
  waiting.sequence = core.takeSequence()
  batch.stored.push(waiting)
  batch.accepted.push({
    sequence: waiting.sequence,
    id: inboxId(core, waiting.sequence),
    type: cell.kind.definition.storedAs,
    key: cell.key,
    command: command?.name ?? '',
    lane: waiting.lane,
    input: JSON.stringify(waiting.input),
    idempotency: waiting.idempotency,
    at: waiting.at,
    dueAt: undefined,
    detail: encodeDetail(waiting.detail),
  })
}

function tellFollowers(core: ShardCore, batch: OpenBatch, cell: Cell): void {
  if (core.followers.size === 0 || cell.hosted === undefined) return
  const calls = core.followers.get(cell.address)
  if (calls === undefined) return
  const view = cell.kind.host.view(cell.hosted)
  for (const call of calls) batch.answersOf(cell).push([FromShard.change, call, view])
}

function writeSnapshot(core: ShardCore, batch: OpenBatch, cell: Cell): void {
  const { definition, host } = cell.kind
  if (cell.hosted === undefined) return
  const isJournaled = definition.persist === 'journal'
  if (
    isJournaled &&
    cell.isStored &&
    cell.revision > cell.snapshotRevision &&
    cell.revision - cell.snapshotRevision < definition.journal.snapshotEvery
  )
    return
  const number = core.numberOf(cell)
  const { revision } = cell
  const { version, storedAs: type } = definition
  let snapshot: string
  try {
    snapshot = host.encode(cell.hosted)
  } catch (error) {
    throw new NotSerializable(cell.address, 'snapshot', `cannot be written (${messageOf(error)})`)
  }
  if (cell.isStored) batch.changed.push({ number, revision, version, snapshot })
  else batch.created.push({ number, type, key: cell.key, revision, version, snapshot })
  if (isJournaled && cell.isStored) batch.journalTrims.push({ actor: number, through: revision - definition.journal.keepEvents })
  // True only after the commit; if it fails the cell is emptied, and nobody has looked in between.
  cell.isStored = true
  cell.snapshotRevision = revision
}

/** Drops an actor from memory, so that its next command reads it again. What it has not heard of its turns is kept. */
export function drop(core: ShardCore, cell: Cell): void {
  const news = newsOf(cell)
  const hasTurns = cell.hasTurns
  forget(core, cell)
  for (const one of news) cell.pushInternal({ tag: 'turn', news: one })
  // Only when all of it has been heard can it be said what was cut off.
  if (hasTurns) cell.pushInternal({ tag: 'turn', news: { kind: 'recover' } })
  core.ready.add(cell)
}

/** Undoes in memory what a failed batch did, and answers its callers with the error. */
export function rollBack(core: ShardCore, batch: OpenBatch, error: Error): void {
  const laterNews: { readonly cell: Cell; readonly news: TurnNews }[] = []
  for (const cell of batch.touched) {
    cell.isDirty = false
    for (const news of newsOf(cell)) laterNews.push({ cell, news })
    // Its turns may have to go on, even if nothing else waits for it. What has been heard of them goes first.
    if (cell.hasTurns) laterNews.push({ cell, news: { kind: 'recover' } })
    if (cell.kind.isDurable) forget(core, cell)
    core.ready.add(cell)
  }
  for (const waiting of batch.stored) {
    waiting.sequence = 0
    waiting.isWithdrawn = true
    unnameWaiting(waiting)
    if (!waiting.isServed) core.waiting.remove(waiting)
  }
  for (const waiting of batch.served.toReversed()) {
    waiting.isServed = false
    waiting.isFinished = false
    waiting.isWithdrawn = false
    waiting.cell.openMailbox().putBack(waiting.lane, waiting)
    if (!waiting.cell.isHeld) core.waiting.add(waiting)
    core.ready.add(waiting.cell)
    nameWaiting(waiting)
  }
  for (const { waiting, input, detail } of batch.edits.toReversed()) {
    waiting.input = input
    waiting.detail = detail
  }
  const encoded = encodeError(error)
  refuseEditsOf(core, batch.stored, encoded)
  const stillWaiting = new Set<number>()
  for (const { sequence, awaiting } of batch.turnAnswers) {
    // Their turns have not ended after all.
    core.awaiting.set(sequence, awaiting)
    for (const { call } of awaiting) stillWaiting.add(call)
  }
  for (const [tag, call] of batch.answers.splice(0)) {
    if (stillWaiting.has(call)) continue
    // A follow that has begun goes on: its next change comes with the next commit.
    const isEnded =
      tag === FromShard.value || tag === FromShard.error || (tag === FromShard.change && batch.joined.some((join) => join.call === call))
    if (isEnded) batch.answers.push([FromShard.error, call, encoded])
  }
  for (const { sequence, call, cell } of batch.awaited) {
    if (!cell.kind.isDurable) continue
    const awaiting = core.awaiting.get(sequence)?.filter((one) => one.call !== call)
    if (awaiting === undefined) continue
    if (awaiting.length === 0) core.awaiting.delete(sequence)
    else core.awaiting.set(sequence, awaiting)
    batch.answers.push([FromShard.error, call, encoded])
  }
  for (const waiting of batch.timerReads) batch.answers.push([FromShard.error, waiting.call, encoded])
  for (const sequence of batch.deadLettersRemoved) core.leavingLetters.delete(sequence)
  for (const call of core.leaseQueue.rolledBack(batch.leaseWaits)) batch.answers.push([FromShard.error, call, encoded])
  for (const waiting of batch.turnReads) batch.answers.push([FromShard.error, waiting.call, encoded])
  for (const { done } of batch.processNotes) done(error)
  // What is known of processes stays true as well.
  const unwanted = new Set(batch.processNotes.map(({ sequence }) => sequence))
  core.batch.processes.push(...batch.processes.filter(({ sequence }) => !unwanted.has(sequence)))
  core.batch.processesEnded.push(...batch.processesEnded)
  // What is known of turns stays true, whatever the store says; their actors have just been emptied.
  // Only when all of it has been heard again can it be said what was cut off.
  const again = [...batch.turnNews, ...laterNews]
  for (const isLast of [false, true]) {
    for (const { cell, news } of again) if ((news.kind === 'recover') === isLast) cell.pushInternal({ tag: 'turn', news })
  }
  for (const { cell } of again) core.ready.add(cell)
  core.childAsks.rolledBack(batch.asked, error)
  core.supervisor.rolledBack(batch)
  core.effects.rolledBack(batch)
  core.links.rolledBack(batch)
  for (const { cell, call } of batch.joined) if (cell.kind.isDurable) core.followers.get(cell.address)?.delete(call)
}

/** What an actor has not heard yet of its turns: nothing else knows of it. */
function newsOf(cell: Cell): readonly TurnNews[] {
  const found: TurnNews[] = []
  for (let internal = cell.internals?.shift(); internal !== undefined; internal = cell.internals?.shift()) {
    if (internal.tag === 'turn') found.push(internal.news)
  }
  return found
}

/** Edits in the batch under way of commands that were not accepted after all are not accepted either. */
function refuseEditsOf(core: ShardCore, withdrawn: readonly Waiting[], encoded: EncodedError): void {
  const { edits, answers } = core.batch
  if (edits.length === 0) return
  const gone = new Set(withdrawn)
  const calls = new Set(edits.filter(({ waiting }) => gone.has(waiting)).map(({ call }) => call))
  for (const [index, [, call]] of answers.entries()) if (calls.has(call)) answers[index] = [FromShard.error, call, encoded]
}

/** Empties a cell: the actor is read from the store when its next command is served. */
export function forget(core: ShardCore, cell: Cell): void {
  core.timers.forget(cell)
  if (cell.hosted !== undefined) cell.kind.host.dispose(cell.hosted)
  cell.hosted = undefined
  cell.internals = undefined
  cell.openCalls = undefined
  cell.session = undefined
  cell.leases = undefined
  // What it has postponed is tried again in the state that the store has.
  cell.mailbox?.resume()
  cell.number = 0
  cell.isStored = false
}
