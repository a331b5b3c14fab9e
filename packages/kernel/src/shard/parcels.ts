/**
 * Delivering what an actor sends to another, on this shard or through the outbox to the next, and what becomes of a
 * message that finds no room or no receiver: the asker hears of it, a tell becomes a dead letter. It never fails the
 * actor that sent it.
 */
import { shardOf } from '../definition/key.ts'
import { ActorStopped, encodeError, MailboxFull, UnknownCommand } from '../errors.ts'
import { waitingOf } from './cell.ts'
import type { Cell, Waiting } from './cell.ts'
import type { ShardCore } from './core.ts'
import { bury } from './dead-letters.ts'
import type { Caller, Parcel } from './detail.ts'
import { Gauge } from './gauges.ts'
import type { Lane } from './lanes.ts'
import { nameWaiting } from './natural.ts'
import { preemptOf } from './preemption.ts'

/** Sends a message on its way as part of the open batch. */
export function deliver(core: ShardCore, parcel: Parcel): void {
  const shard = shardOf(parcel.type, parcel.key, core.shardCount)
  if (shard === core.index) admitParcel(core, parcel)
  else if (isOutboxFull(core))
    refuseParcel(core, parcel, new MailboxFull(core.addressOf(parcel.type, parcel.key), 'outbox', core.limits.outbox))
  else core.links.post(shard, parcel)
}

/** Whether the outbox is at its bound, the open batch included. */
export function isOutboxFull(core: ShardCore): boolean {
  return core.outboxSize + core.batch.posts.length + core.batch.effects.length >= core.limits.outbox
}

/** Takes a message in that is for an actor of this shard. */
export function admitParcel(core: ShardCore, parcel: Parcel): void {
  const kind = core.kindOf(parcel.type)
  const command = kind?.definition.commands.get(parcel.command)
  const isEvent = parcel.detail?.isEvent === true
  if (kind === undefined || (command === undefined && !isEvent)) {
    refuseParcel(core, parcel, new UnknownCommand(core.addressOf(parcel.type, parcel.key), parcel.command))
    return
  }
  if (parcel.dueAt !== undefined && parcel.dueAt > core.clock.wall()) {
    core.schedule.accept(parcel)
    return
  }
  if (isGroupEvent(parcel.command)) {
    core.supervisor.follow(kind, parcel)
    return
  }
  const cell = core.cellOf(kind, parcel.key)
  const waiting = waitingOf({
    tag: isEvent ? 'event' : 'tell',
    call: 0,
    cell,
    command,
    lane: parcel.lane as Lane, // Written by this kernel as a lane.
    input: parcel.input,
    idempotency: parcel.idempotency,
    at: core.clock.wall(),
    sequence: 0,
    detail: parcel.detail,
  })
  if (cell.isHeld && core.watches.answerHeld(cell, parcel)) return
  const refusal = isEvent ? heldRefusalOf(core, cell) : refusalOf(core, cell)
  if (refusal !== undefined) {
    if (refusal instanceof MailboxFull) core.count(Gauge.full)
    refuseParcel(core, parcel, refusal)
    return
  }
  if (!kind.isDurable) {
    core.batch.toVolatile.push(waiting)
    core.wake()
    return
  }
  enqueue(core, waiting)
  core.batch.tells.push(waiting)
}

/** Whether a message is about what has become of another member of a group. No command can have such a name. */
function isGroupEvent(command: string): boolean {
  return command === 'bailiwick.restart' || command === 'bailiwick.hold'
}

/** Why an actor takes nothing any more: it was stopped. One that is quarantined keeps what it gets. */
function heldRefusalOf(core: ShardCore, cell: Cell): ActorStopped | undefined {
  const refusal = cell.isHeld ? core.supervisor.refusalOf(cell) : undefined
  return refusal instanceof ActorStopped ? refusal : undefined
}

/** Why a command finds no place now, if it finds none. */
export function refusalOf(core: ShardCore, cell: Cell): MailboxFull | ActorStopped | undefined {
  const held = heldRefusalOf(core, cell)
  if (held !== undefined) return held
  // Those who wait for a place go first.
  if (core.waiting.size >= core.limits.waitingCommands || core.overflow.isShardAwaited)
    return new MailboxFull(cell.address, 'shard', core.limits.waitingCommands)
  const { capacity } = cell.kind.definition.mailbox
  const isFull = (cell.overflow !== undefined && cell.overflow.size > 0) || cell.mailbox?.isFull === true
  return isFull ? new MailboxFull(cell.address, 'mailbox', capacity) : undefined
}

/** Puts something at the end of its lane. Whoever calls has looked whether there is a place, or knows that one is owed. */
export function enqueue(core: ShardCore, waiting: Waiting): void {
  const { cell } = waiting
  cell.openMailbox().restore(waiting.lane, waiting)
  // What waits for one that is held back is no backlog of the shard.
  if (!cell.isHeld) core.waiting.add(waiting)
  core.ready.add(cell)
  nameWaiting(waiting)
  // Somebody is to be interrupted: that goes before everything that waits on the shard.
  if (cell.session?.holder !== undefined && preemptOf(waiting) !== 'none') core.express.push({ cell, waiting })
  core.wake()
}

/** Tells whoever waits for a message that it will not be handled, or keeps it as a dead letter. */
function refuseParcel(core: ShardCore, parcel: Parcel, error: Error): void {
  const caller = parcel.detail?.caller
  if (caller !== undefined) answerCaller(core, caller, { error: plainError(error) })
  else bury(core, parcel, error)
}

/** Sends the answer to a request back to the actor that made it: its `output`, its `error`, or the fields of a notice. */
export function answerCaller(core: ShardCore, caller: Caller, input: object): void {
  const { type, key, request, life } = caller
  deliver(core, {
    type,
    key,
    command: '',
    lane: 0,
    input,
    detail: { isEvent: true, answers: request, ...(life === undefined ? {} : { life }) },
  })
}

/** An error as an actor's event carries it. */
export function plainError(error: unknown): { readonly code: string; readonly message: string } {
  const { code, message, fields } = encodeError(error)
  return { ...fields, code, message }
}
