/**
 * Admission: what arrives at a shard finds its actor's mailbox, or is refused with a named outcome.
 *
 * Nothing is read from the store here; an actor is brought into memory when its first command is served.
 */
import type { InboxCommand } from '@bailiwick/store'
import { MailboxFull } from '../errors.ts'
import { ToShard } from '../protocol/to-shard.ts'
import type { CommandMessage, ReadMessage } from '../protocol/to-shard.ts'
import { Cell, waitingOf } from './cell.ts'
import type { Kind, Waiting } from './cell.ts'
import type { ShardCore } from './core.ts'
import { Gauge } from './gauges.ts'
import { laneOf } from './lanes.ts'
import { refuse } from './service.ts'

/** Admits a command or a read that a caller sent. */
export function admit(core: ShardCore, message: CommandMessage | ReadMessage, now: number): void {
  const [tag, call, type, key] = message
  const kind = core.kinds[type]
  if (kind === undefined) throw new Error(`A message names the unknown type ${type}.`)
  const cell = cellOf(core, kind, key)
  const waiting = tag === ToShard.ask || tag === ToShard.tell ? fromCommand(cell, message, now) : fromRead(cell, tag, call, now)
  if (core.waiting.size >= core.limits.waitingCommands) {
    core.count(Gauge.full)
    refuse(core, cell, call, new MailboxFull(cell.address, 'shard', core.limits.waitingCommands))
  } else if (!cell.openMailbox().tryPush(waiting.lane, waiting)) {
    core.count(Gauge.full)
    refuse(core, cell, call, new MailboxFull(cell.address, 'mailbox', kind.definition.mailbox.capacity))
  } else {
    core.waiting.add(waiting)
    core.ready.add(cell)
    if (waiting.tag === 'tell') core.batch.tells.push(waiting)
  }
}

/** Admits a command that an earlier life of the shard had accepted. False if its type or command is no longer known. */
export function readmit(core: ShardCore, row: InboxCommand): boolean {
  const kind = core.kindOf(row.type)
  const command = kind?.definition.commands.get(row.command)
  if (kind === undefined || command === undefined) return false
  const cell = cellOf(core, kind, row.key)
  const waiting = waitingOf({
    tag: 'tell',
    call: 0,
    cell,
    command,
    lane: row.lane === 0 || row.lane === 1 || row.lane === 3 ? row.lane : 2,
    input: JSON.parse(row.input) as object | null,
    idempotency: row.idempotency,
    at: row.at,
    sequence: row.sequence,
  })
  cell.openMailbox().restore(waiting.lane, waiting)
  core.waiting.add(waiting)
  core.ready.add(cell)
  return true
}

/** The cell of an actor, made if it is not in memory. */
export function cellOf(core: ShardCore, kind: Kind, key: string): Cell {
  const known = core.residents.get(kind, key)
  if (known !== undefined) return known
  const cell = new Cell(kind, key)
  core.residents.add(cell, core.clock.elapsed())
  return cell
}

function fromCommand(cell: Cell, message: ReadMessage | CommandMessage, now: number): Waiting {
  const [tag, call, , , command, lane, input, key, fingerprint] = message as CommandMessage // The tag has been looked at.
  return waitingOf({
    tag: tag === ToShard.ask ? 'ask' : 'tell',
    call,
    cell,
    command: cell.kind.commands[command],
    lane,
    input,
    idempotency: key === undefined || fingerprint === undefined ? undefined : { key, fingerprint },
    at: now,
    sequence: 0,
  })
}

/** Reads wait like a query of normal priority, so that a caller sees what its earlier commands of that priority did. */
function fromRead(cell: Cell, tag: ReadMessage[0], call: number, now: number): Waiting {
  return waitingOf({
    tag: tag === ToShard.snapshot ? 'snapshot' : 'follow',
    call,
    cell,
    command: undefined,
    lane: laneOf('normal'),
    input: null,
    idempotency: undefined,
    at: now,
    sequence: 0,
  })
}
