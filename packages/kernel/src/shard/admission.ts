/**
 * Admission: what arrives at a shard finds its actor's mailbox, or is refused with a named outcome.
 *
 * Nothing is read from the store here; an actor is brought into memory when its first command is served.
 */
import type { InboxCommand } from '@bailiwick/store'
import { asError, MailboxFull } from '../errors.ts'
import { ToShard } from '../protocol/to-shard.ts'
import type { CommandMessage, ControlMessage, Extras, ReadMessage } from '../protocol/to-shard.ts'
import { answer, refuse } from './answers.ts'
import { waitingOf } from './cell.ts'
import type { Cell, Waiting } from './cell.ts'
import type { ShardCore } from './core.ts'
import { decodeDetail } from './detail.ts'
import type { Detail } from './detail.ts'
import { Gauge } from './gauges.ts'
import { laneOf } from './lanes.ts'
import { editWaiting, isNamed } from './natural.ts'
import type { Named } from './natural.ts'
import { enqueue, refusalOf } from './parcels.ts'
import { giveUp } from './held.ts'
import { finish, typeOfEvent } from './service.ts'

const READS = {
  [ToShard.snapshot]: 'snapshot',
  [ToShard.follow]: 'follow',
  [ToShard.timers]: 'timers',
  [ToShard.turns]: 'turns',
  [ToShard.lateResults]: 'late-results',
} as const

/** Admits a command, a read or a wish about turns and leases that a caller sent. */
export function admit(core: ShardCore, message: CommandMessage | ReadMessage | ControlMessage, now: number): void {
  const [, , type, key] = message
  const kind = core.kinds[type]
  if (kind === undefined) throw new Error(`A message names the unknown type ${type}.`)
  const cell = core.cellOf(kind, key)
  switch (message[0]) {
    case ToShard.control:
      // Never refused for lack of room: it is what makes room.
      if (!isRefused(core, cell, message[1], true)) admitControl(core, controlOf(cell, message, now))
      return
    case ToShard.ask:
    case ToShard.tell:
      admitCommand(core, cell, message, now)
      return
    case ToShard.snapshot:
    case ToShard.follow:
    case ToShard.timers:
    case ToShard.turns:
    case ToShard.lateResults:
      if (cell.isHeld) core.peek(fromRead(cell, message, now))
      else place(core, fromRead(cell, message, now), undefined)
  }
}

/** Refuses what somebody waits for, or everything, of an actor that is held back. One that is about to be released takes it. */
function isRefused(core: ShardCore, cell: Cell, call: number, isAwaited: boolean): boolean {
  const refusal = cell.isHeld ? core.supervisor.refusalOf(cell) : undefined
  if (refusal === undefined || (!isAwaited && refusal.code === 'ACTOR_QUARANTINED')) return false
  refuse(core, cell, call, refusal)
  core.wake()
  return true
}

/** Remembers control whose caller may leave before it is served. */
function admitControl(core: ShardCore, waiting: Waiting): void {
  core.controls.set(waiting.call, waiting)
  enqueue(core, waiting)
}

function admitCommand(core: ShardCore, cell: Cell, message: CommandMessage, now: number): void {
  const waiting = fromCommand(cell, message, now)
  if (isRefused(core, cell, waiting.call, waiting.tag === 'ask')) return
  const extras = message[9]
  const dueAt = extras?.dueAt ?? (extras?.delayMs === undefined ? undefined : now + extras.delayMs)
  if (dueAt !== undefined && dueAt > now) schedule(core, waiting, dueAt)
  else place(core, waiting, extras)
}

/** Admits a command that an earlier life of the shard had accepted. False if its type or command is no longer known. */
export function readmit(core: ShardCore, row: InboxCommand): boolean {
  const kind = core.kindOf(row.type)
  const command = kind?.definition.commands.get(row.command)
  const detail = decodeDetail(row.detail)
  if (kind === undefined || (command === undefined && detail?.isEvent !== true)) return false
  const waiting = waitingOf({
    tag: detail?.isEvent === true ? 'event' : 'tell',
    call: 0,
    cell: core.cellOf(kind, row.key),
    command,
    lane: row.lane === 0 || row.lane === 1 || row.lane === 3 ? row.lane : 2,
    input: JSON.parse(row.input) as object | null,
    idempotency: row.idempotency,
    at: row.at,
    sequence: row.sequence,
    detail,
  })
  const refusal = waiting.cell.isHeld ? core.supervisor.refusalOf(waiting.cell) : undefined
  // A stop that was committed before what it leads to.
  if (refusal?.code === 'ACTOR_STOPPED') giveUp(core, waiting.cell, waiting, refusal)
  else if (isAnsweredAsHeld(core, waiting)) finish(core, waiting)
  else enqueue(core, waiting)
  return true
}

/** Whether a wish to watch an actor that is held back by now is answered with just that. */
function isAnsweredAsHeld(core: ShardCore, { cell, command, detail, input, tag }: Waiting): boolean {
  if (!cell.isHeld || detail === undefined) return false
  const name = tag === 'event' ? typeOfEvent(input) : command?.name
  return core.watches.answerHeld(cell, { command: name ?? '', detail })
}

/** Puts a command that got a place, at last, into its lane. */
export function enter(core: ShardCore, waiting: Waiting): void {
  enqueue(core, waiting)
  if (waiting.tag === 'tell') core.batch.tells.push(waiting)
}

function place(core: ShardCore, waiting: Waiting, extras: Extras | undefined): void {
  const { cell, call } = waiting
  const named = isNamed(waiting) ? editWaiting(core, waiting) : 'accepted'
  if (named instanceof Promise) {
    named.then(
      (settled) => {
        settle(core, waiting, extras, settled)
        core.wake()
      },
      (error: unknown) => refuse(core, cell, call, asError(error)),
    )
  } else settle(core, waiting, extras, named)
}

/** Places a command that edits no other; answers one that does. */
function settle(core: ShardCore, waiting: Waiting, extras: Extras | undefined, named: Named): void {
  const { cell, call } = waiting
  if (named !== 'accepted') {
    answer(core, cell, call, named)
    core.wake()
    return
  }
  const refusal = refusalOf(core, cell)
  if (refusal === undefined) {
    enter(core, waiting)
  } else if (extras?.waitMs !== undefined && extras.waitMs > 0 && refusal instanceof MailboxFull) {
    core.overflow.add(waiting, refusal, extras.waitMs)
  } else {
    if (refusal instanceof MailboxFull) core.count(Gauge.full)
    refuse(core, cell, call, refusal)
  }
}

/** Accepts a command for later: it goes to the store with this batch, and its sender hears of it then. */
function schedule(core: ShardCore, waiting: Waiting, dueAt: number): void {
  const { cell, lane, input, idempotency, command, call } = waiting
  // While nothing is committed they pile up in the open batch.
  if (core.batch.accepted.length >= core.limits.waitingCommands) {
    core.count(Gauge.full)
    refuse(core, cell, call, new MailboxFull(cell.address, 'shard', core.limits.waitingCommands))
    return
  }
  const { detail } = waiting
  core.schedule.accept({
    type: cell.kind.definition.storedAs,
    key: cell.key,
    command: command?.name ?? '',
    lane,
    input,
    idempotency,
    dueAt,
    detail,
  })
  answer(core, cell, call, undefined)
}

function fromCommand(cell: Cell, message: CommandMessage, now: number): Waiting {
  const [tag, call, , , command, lane, input, key, fingerprint, extras] = message
  return waitingOf({
    tag: tag === ToShard.ask ? 'ask' : 'tell',
    call,
    cell,
    command: cell.kind.commands[command],
    lane,
    input,
    idempotency: typeof key === 'string' && typeof fingerprint === 'string' ? { key, fingerprint } : undefined,
    at: now,
    sequence: 0,
    detail: extras === undefined ? undefined : detailOf(extras),
  })
}

function detailOf({ naturalKey, deliveryId, preempt, lease, isFollowed }: Extras): Detail | undefined {
  const detail: Detail = {
    ...(naturalKey === undefined ? {} : { naturalKey }),
    // A delivery without a natural key is about itself. No natural key of a sender begins with this character.
    ...(deliveryId === undefined ? {} : { naturalKey: naturalKey ?? `\u0000${deliveryId}`, deliveries: [deliveryId] }),
    ...(preempt === undefined ? {} : { preempt }),
    ...(lease === undefined ? {} : { lease }),
    ...(isFollowed === undefined ? {} : { isFollowed }),
  }
  return Object.keys(detail).length === 0 ? undefined : detail
}

function controlOf(cell: Cell, [, call, , , control]: ControlMessage, now: number): Waiting {
  return waitingOf({
    tag: 'control',
    call,
    cell,
    command: undefined,
    lane: laneOf('urgent'),
    input: control,
    idempotency: undefined,
    at: now,
    sequence: 0,
    detail: undefined,
  })
}

/** Reads wait like a query of normal priority, so that a caller sees what its earlier commands of that priority did. */
function fromRead(cell: Cell, [tag, call, , , limit]: ReadMessage, now: number): Waiting {
  return waitingOf({
    tag: READS[tag],
    call,
    cell,
    command: undefined,
    lane: laneOf('normal'),
    input: limit === undefined ? null : { limit },
    idempotency: undefined,
    at: now,
    sequence: 0,
    detail: undefined,
  })
}
