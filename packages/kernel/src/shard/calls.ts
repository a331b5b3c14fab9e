/**
 * Open calls of an actor: commands that it answers later, and requests that it has made.
 *
 * A command with a deferred reply that its own transition does not answer becomes an open reply; the callers from outside
 * that wait for it are known to the shard only, everything else is stored. A request becomes an open request and a timer
 * that ends it. Whoever settles a call closes it, and in the same batch answers everybody who waits for it.
 */
import { findJsonFault } from '../definition/json.ts'
import { checkValue } from '../definition/input.ts'
import { AskCycle, CommandFailed, IdempotencyConflict, MailboxFull, messageOf, NotSerializable, SystemClosed } from '../errors.ts'
import type { FailWish, ReplyWish } from '../hosting/wish.ts'
import { FromShard } from '../protocol/from-shard.ts'
import { answer, refuse } from './answers.ts'
import { waitingOf } from './cell.ts'
import type { Awaiting, Cell, Waiting } from './cell.ts'
import type { ShardCore } from './core.ts'
import { bury } from './dead-letters.ts'
import type { ChainLink } from './detail.ts'
import { Gauge } from './gauges.ts'
import { recordNames } from './natural.ts'
import { isReply, timerOfCall } from './open-call.ts'
import type { OpenCall, OpenReply, OpenRequest } from './open-call.ts'
import { answerCaller, enqueue, plainError } from './parcels.ts'

/** On whose behalf a transition runs. */
export interface Behalf {
  /** The open reply that it may answer before others: of the command itself, or the one that led to this event. */
  readonly cause: number | undefined
  /** The asks that led to it, itself included. */
  readonly chain: readonly ChainLink[]
  /** The turn that it is about. */
  readonly turn?: number
}

/** Nobody's behalf: a timer, a child. */
export const NOBODY: Behalf = { cause: undefined, chain: [] }

/** How an open reply ends. */
export type Settlement =
  | {
      readonly value: unknown
      /** Whether it is the answer for as long as records are kept. Default true. */
      readonly isRecorded?: boolean
      /** Why it becomes a dead letter if nobody waits for it; `undefined` for not at all. */
      readonly letter?: Error | undefined
    }
  | {
      readonly error: Error
      /** Whether the error is the answer for as long as records are kept. */
      readonly isRecorded: boolean
      /** Whether those who have joined try anew, instead of getting the error. */
      readonly isTriedAgain: boolean
    }

/** Opens a call of an actor, with the timer that ends it; without one if it may take for ever. */
export function openCall(core: ShardCore, cell: Cell, call: OpenCall, withinMs: number | undefined): void {
  cell.openCalls ??= new Map()
  cell.openCalls.set(call.sequence, call)
  // The actor's row has to exist for the call's.
  core.markDirty(cell)
  if (withinMs !== undefined) {
    core.timers.wish(cell, {
      kind: 'set',
      name: timerOfCall(call.sequence),
      event: { type: 'bailiwick.overdue' },
      delayMs: withinMs,
      onRestart: 'deadline',
    })
  }
  if (cell.kind.isDurable) core.batch.openCall(core.numberOf(cell), call, true)
}

/** Closes a call; what waits for it is the caller's business. */
export function closeCall(core: ShardCore, cell: Cell, sequence: number): void {
  cell.openCalls?.delete(sequence)
  if (cell.openCalls?.size === 0) cell.openCalls = undefined
  core.timers.wish(cell, { kind: 'cancel', name: timerOfCall(sequence) })
  if (cell.kind.isDurable) core.batch.closeCall(sequence)
}

/** Lets a call from outside wait for an open reply. */
export function awaitReply(core: ShardCore, sequence: number, awaiting: Awaiting): void {
  const all = core.awaiting.get(sequence)
  if (all === undefined) core.awaiting.set(sequence, [awaiting])
  else all.push(awaiting)
  core.batch.awaited.push({ sequence, call: awaiting.call, cell: awaiting.cell })
}

/** Lets a call from outside wait no more: its caller has left. */
export function withdraw(core: ShardCore, call: number): void {
  for (const [sequence, awaiting] of core.awaiting) {
    const left = awaiting.filter((one) => one.call !== call)
    if (left.length === awaiting.length) continue
    if (left.length === 0) core.awaiting.delete(sequence)
    else core.awaiting.set(sequence, left)
    return
  }
}

/** The open reply that has reserved the idempotency key of a command, if one has. */
export function reservationOf(cell: Cell, { idempotency, command }: Waiting): OpenReply | undefined {
  if (idempotency === undefined) return undefined
  for (const call of cell.openCalls?.values() ?? []) {
    if (isReply(call) && call.command === command?.name && call.idempotency?.key === idempotency.key) return call
  }
  return undefined
}

/** Joins a command to the one that works on its key. The error says why it cannot. */
export function join(core: ShardCore, reservation: OpenReply, waiting: Waiting): Error | undefined {
  const { cell, idempotency, command } = waiting
  const key = idempotency?.key ?? ''
  if (reservation.idempotency?.fingerprint !== idempotency?.fingerprint) {
    return new IdempotencyConflict(cell.address, command?.name ?? '', key)
  }
  if (reservation.kind === 'turn' && waiting.tag === 'ask' && core.turns.isClosing) return new SystemClosed(true)
  core.count(Gauge.replayed)
  const caller = waiting.detail?.caller
  if (caller !== undefined) {
    const changed: OpenReply = { ...reservation, callers: [...reservation.callers, caller] }
    cell.openCalls?.set(reservation.sequence, changed)
    core.batch.openCall(core.numberOf(cell), changed, false)
    return undefined
  }
  if (waiting.call === 0) return undefined
  if (waiting.tag === 'tell') {
    answer(core, cell, waiting.call, undefined)
    return undefined
  }
  const isFollowed = waiting.detail?.isFollowed === true
  awaitReply(core, reservation.sequence, { call: waiting.call, cell, waiting, isFollowed, isForTurn: reservation.kind === 'turn' })
  core.batch.answersOf(cell).push([FromShard.joined, waiting.call, key])
  return undefined
}

/** Why an actor cannot take another command with a deferred reply, if it cannot. */
export function refusalOfOpenCall(cell: Cell): MailboxFull | undefined {
  const { capacity } = cell.kind.definition.mailbox
  if ((cell.openCalls?.size ?? 0) < capacity) return undefined
  let replies = 0
  for (const call of cell.openCalls?.values() ?? []) if (isReply(call)) replies += 1
  return replies >= capacity ? new MailboxFull(cell.address, 'mailbox', capacity) : undefined
}

/** The open replies that a wish means, the oldest first. */
export function meantBy(cell: Cell, wish: ReplyWish | FailWish, { cause }: Behalf): readonly OpenReply[] {
  const isMeant = (call: OpenCall | undefined): call is OpenReply =>
    call?.kind === 'reply' && (wish.command === undefined || call.command === wish.command)
  if (cause !== undefined && !wish.all) {
    // What comes on behalf of a command that is closed by now is late: it must not answer another.
    const call = cell.openCalls?.get(cause)
    return isMeant(call) ? [call] : []
  }
  const meant: OpenReply[] = []
  // The map is in the order of the sequences: the oldest comes first.
  for (const call of cell.openCalls?.values() ?? []) {
    if (!isMeant(call)) continue
    meant.push(call)
    if (!wish.all) break
  }
  return meant
}

/** Checks the value of a deferred reply. Throws `CommandFailed` or `NotSerializable`. */
export function checkReply(cell: Cell, command: string, value: unknown): unknown {
  const fault = findJsonFault(value)
  if (fault !== undefined) throw new NotSerializable(cell.address, ['reply', fault.path].filter(Boolean).join('.'), fault.detail)
  const schema = cell.kind.definition.commands.get(command)?.output
  if (schema === undefined) return value
  try {
    return checkValue(`${cell.kind.definition.type}.${command}`, schema, value)
  } catch (error) {
    throw new CommandFailed(cell.address, command, `its reply is invalid: ${messageOf(error)}`, { cause: error })
  }
}

/** Ends an open reply: everybody who waits for it hears, and what may be repeated is recorded. */
export function settleReply(core: ShardCore, cell: Cell, call: OpenReply, settlement: Settlement): void {
  closeCall(core, cell, call.sequence)
  const awaiting = core.awaiting.get(call.sequence) ?? []
  core.awaiting.delete(call.sequence)
  // If the commit fails, a turn ends again; those who wait for it go on waiting.
  if (call.kind === 'turn' && awaiting.length > 0) core.batch.turnAnswers.push({ sequence: call.sequence, awaiting })
  if ('value' in settlement) {
    if (settlement.isRecorded !== false) {
      recordSettlement(core, cell, call, { value: settlement.value })
      recordNames(core, cell, call.command, call)
    }
    for (const { call: number } of awaiting) answer(core, cell, number, settlement.value)
    for (const caller of call.callers) answerCaller(core, caller, { output: settlement.value })
    const { letter } = settlement
    if (letter !== undefined && call.callers.length === 0 && !call.isAsk) buryReply(core, cell, call, letter)
    return
  }
  const { error, isRecorded, isTriedAgain } = settlement
  if (isRecorded) recordSettlement(core, cell, call, { error: plainError(error) })
  for (const { call: number, cell: waitingCell, waiting } of awaiting) {
    if (isTriedAgain && waiting !== undefined) enqueueAgain(core, waiting)
    else refuse(core, waitingCell, number, error)
  }
  for (const caller of call.callers) answerCaller(core, caller, { error: plainError(error) })
  if (call.callers.length === 0 && !call.isAsk) buryReply(core, cell, call, error)
}

/** The path of the cycle that a command closes if it has to wait, if it does: it was asked, through others, by this very actor, which waits. */
export function cycleOf(core: ShardCore, cell: Cell, chain: readonly ChainLink[] | undefined): AskCycle | undefined {
  const index =
    chain?.findLastIndex(({ actor, command }) => actor === cell.address && (isOpen(cell, command) || core.childAsks.isAsking(actor))) ?? -1
  return index === -1 || chain === undefined ? undefined : new AskCycle([...chain.slice(index).map(({ actor }) => actor), cell.address])
}

/** The path of the cycle that a request closes because it repeats an ask that has led to it, if it does. */
export function repetitionOf(chain: readonly ChainLink[], actor: string, command: string): AskCycle | undefined {
  const index = chain.findIndex((link) => link.actor === actor && link.command === command)
  return index === -1 ? undefined : new AskCycle([...chain.slice(index).map((link) => link.actor), actor])
}

/** The event that ends a request for its actor. */
export function eventOfAnswer(call: OpenRequest, input: object): { readonly type: string } {
  return 'error' in input ? { ...input, type: call.onError } : { ...input, type: call.onDone }
}

function isOpen(cell: Cell, command: string): boolean {
  for (const call of cell.openCalls?.values() ?? []) if (isReply(call) && call.command === command) return true
  return false
}

/** The first of those who have joined executes the command anew, the others join it again. */
function enqueueAgain(core: ShardCore, waiting: Waiting): void {
  // Its actor may have left memory and come back since.
  const { kind, key } = waiting.cell
  enqueue(core, waitingOf({ ...waiting, cell: core.cellOf(kind, key) }))
}

function recordSettlement(core: ShardCore, cell: Cell, call: OpenReply, outcome: object): void {
  if (call.idempotency !== undefined) recordOutcome(core, scopeOf(cell, call.command), call.idempotency, outcome)
}

/** The scope in which an idempotency key counts: one command of one actor. */
export function scopeOf(cell: Cell, command: string): string {
  return JSON.stringify([cell.kind.definition.storedAs, cell.key, command])
}

/** Records the outcome of a command under its key. */
export function recordOutcome(
  core: ShardCore,
  scope: string,
  { key, fingerprint }: { readonly key: string; readonly fingerprint: string },
  settled: object,
): void {
  const outcome = JSON.stringify(settled)
  const expiresAt = core.batch.at + core.limits.idempotencyTtlMs
  core.batch.outcomes.push({ scope, key, fingerprint, outcome, expiresAt })
  core.batch.recorded.set(`${scope}${key}`, { fingerprint, outcome, expiresAt })
}

function buryReply(core: ShardCore, cell: Cell, call: OpenReply, error: Error): void {
  const { command, lane, input, idempotency, from, naturalKey, deliveries } = call
  const detail = {
    ...(from === undefined ? {} : { from }),
    ...(naturalKey === undefined ? {} : { naturalKey }),
    ...(deliveries === undefined ? {} : { deliveries }),
  }
  bury(core, { type: cell.kind.definition.storedAs, key: cell.key, command, lane, input, idempotency, detail }, error)
}
