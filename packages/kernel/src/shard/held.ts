/** Actors that are held back: what waits for one when it is held, and how it can still be looked at. */
import type { StoredActor } from '@bailiwick/store'
import { decodeKey } from '../definition/key.ts'
import type { EventLike, SnapshotView } from '../hosting/host.ts'
import { refuse } from './answers.ts'
import { migrated } from './activation.ts'
import type { Cell, Waiting } from './cell.ts'
import type { ShardCore } from './core.ts'
import { bury } from './dead-letters.ts'
import { errorOf } from './fault.ts'
import type { Held } from './fault.ts'
import { finish, settleError, typeOfEvent } from './service.ts'

/** Deals with what waits for an actor that is held from now on: callers are refused; what nobody waits for is kept, or given up. */
export function clearMailbox(core: ShardCore, cell: Cell, held: Held): void {
  const error = errorOf(cell.address, held)
  const kept: Waiting[] = []
  const all = takeAll(core, cell)
  for (const waiting of all) {
    if (waiting.isWithdrawn) continue
    core.controls.delete(waiting.call)
    if (isAnswered(core, cell, waiting)) continue
    if (waiting.tag === 'tell' || waiting.tag === 'event') {
      if (held.mode === 'quarantined') kept.push(waiting)
      else giveUp(core, cell, waiting, error)
    } else if (waiting.tag === 'ask' || waiting.tag === 'control') {
      waiting.isWithdrawn = true
      refuse(core, cell, waiting.call, error)
      finish(core, waiting)
    } else {
      waiting.isWithdrawn = true
      core.peek(waiting)
    }
  }
  for (const waiting of kept) cell.openMailbox().restore(waiting.lane, waiting)
  if (all.length > kept.length) core.batch.wantsCommit = true
  core.wake()
}

/** Lets what was kept for an actor be part of the shard's backlog again. */
export function listKept(core: ShardCore, cell: Cell): void {
  for (const waiting of takeAll(core, cell)) {
    cell.openMailbox().restore(waiting.lane, waiting)
    if (!waiting.isWithdrawn) core.waiting.add(waiting)
  }
}

/** The state of an actor as it is stored, or as it would begin; nothing of it runs. Throws what restoring it throws. */
export function viewStored(cell: Cell, stored: StoredActor | undefined): SnapshotView {
  const { definition, host } = cell.kind
  if (stored === undefined) {
    const key = decodeKey(cell.key)
    return host.view(host.create(cell, cell.address, key, definition.input?.({ key })).hosted)
  }
  const hosted = host.restore(cell, cell.address, migrated(cell, stored))
  for (const event of stored.events) host.apply(hosted, host.transition(hosted, JSON.parse(event) as EventLike).snapshot) // Written by this kernel as the event it handled.
  return host.view(hosted)
}

/** Answers the wish to watch an actor that is held back: there is nothing to wait for. */
function isAnswered(core: ShardCore, cell: Cell, waiting: Waiting): boolean {
  const command = waiting.tag === 'event' ? typeOfEvent(waiting.input) : undefined
  if (command === undefined || waiting.detail === undefined || !core.watches.answerHeld(cell, { command, detail: waiting.detail }))
    return false
  waiting.isWithdrawn = true
  finish(core, waiting)
  return true
}

/** Takes everything out of a mailbox, in the order of its lanes. */
function takeAll(core: ShardCore, cell: Cell): readonly Waiting[] {
  const taken: Waiting[] = []
  const { mailbox } = cell
  mailbox?.resume()
  if (cell.suspended !== undefined) {
    taken.push(cell.suspended.waiting)
    cell.suspended = undefined
  }
  for (let waiting = mailbox?.shift(); waiting !== undefined; waiting = mailbox?.shift()) {
    if (!waiting.isWithdrawn) core.waiting.remove(waiting)
    taken.push(waiting)
  }
  return taken
}

/** Keeps a message as a dead letter, or answers whoever waits for it, because it is not to be handled. */
export function giveUp(core: ShardCore, cell: Cell, waiting: Waiting, error: Error): void {
  waiting.isWithdrawn = true
  if (waiting.tag !== 'event') settleError(core, cell, waiting, error)
  else {
    const { input } = waiting
    const { storedAs: type } = cell.kind.definition
    bury(
      core,
      { type, key: cell.key, command: typeOfEvent(input) ?? '', lane: waiting.lane, input, detail: { ...waiting.detail, isEvent: true } },
      error,
    )
  }
  finish(core, waiting)
}
