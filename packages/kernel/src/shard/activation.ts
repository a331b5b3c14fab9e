/**
 * Bringing an actor into memory: from its stored snapshot, migrated and with its journal replayed, or from nothing.
 *
 * A failure leaves the stored actor untouched and is answered to the command that asked for it; the next command tries
 * again. A stored actor is never replaced by a fresh one.
 */
import type { StoredActor } from '@bailiwick/store'
import { decodeKey } from '../definition/key.ts'
import { ActivationFailed, messageOf, NoMigration, NotSerializable } from '../errors.ts'
import type { EventLike } from '../hosting/host.ts'
import { NOBODY } from './calls.ts'
import type { Cell } from './cell.ts'
import type { ShardCore } from './core.ts'
import { Gauge } from './gauges.ts'
import { tap } from './tap.ts'
import { decodeOpenCalls } from './open-call.ts'
import type { LeaseHolder } from './lease.ts'
import { absorb, checkChildren, checkState, freezeState } from './service.ts'
import { SESSION_LEASE, sessionOfRows } from './turn-row.ts'
import { checkWishes, performWishes } from './wishes.ts'

/** Installs an actor in its cell. Throws `ActivationFailed`, `NoMigration` or `NotSerializable`, leaving the cell empty. */
export function install(core: ShardCore, cell: Cell, stored: StoredActor | undefined): void {
  try {
    if (stored === undefined) create(core, cell)
    else restore(core, cell, stored)
  } catch (error) {
    cell.hosted = undefined
    cell.isDirty = false
    cell.openCalls = undefined
    cell.session = undefined
    cell.leases = undefined
    if (error instanceof NoMigration || error instanceof NotSerializable) throw error
    throw new ActivationFailed(cell.address, messageOf(error), { cause: error })
  }
  core.count(Gauge.activations)
  tap(core, { kind: 'actor.activated', actor: cell.address })
  core.timers.revive(cell)
}

function create(core: ShardCore, cell: Cell): void {
  const { definition, host } = cell.kind
  const key = decodeKey(cell.key)
  const { hosted, step } = host.create(cell, cell.address, key, definition.input?.({ key }))
  checkState(cell, { context: undefined, output: undefined }, step)
  checkChildren(cell, hosted)
  freezeState(hosted.snapshot)
  cell.hosted = hosted
  cell.isStored = false
  // An actor that wants something from its start on must be stored before it gets it; one that only holds its
  // initial state is stored with its first change, so that reading an actor does not create it.
  if (step.timers.length > 0 || step.actions.length > 0 || step.wishes.length > 0) {
    const wishes = checkWishes(core, cell, step.wishes)
    core.markDirty(cell)
    absorb(core, cell, step, () => NOBODY.chain)
    performWishes(core, cell, wishes, NOBODY)
  }
  core.batch.starts.push(cell)
}

function restore(core: ShardCore, cell: Cell, stored: StoredActor): void {
  const { definition, host } = cell.kind
  const snapshot = migrated(cell, stored)
  const hosted = host.restore(cell, cell.address, snapshot)
  freezeState(hosted.snapshot)
  for (const event of stored.events) {
    const step = host.transition(hosted, JSON.parse(event) as EventLike) // Written by this kernel as the event it handled.
    freezeState(step.snapshot, hosted.snapshot)
    host.apply(hosted, step.snapshot)
  }
  cell.hosted = hosted
  cell.number = stored.number
  cell.openCalls = decodeOpenCalls(stored.openCalls)
  const { ranks } = definition.turns
  cell.session = sessionOfRows(stored.turns, stored.leases, (command) => {
    const rank = definition.commands.get(command)?.rank
    return rank === undefined ? undefined : ranks.indexOf(rank)
  })
  for (const { name, epoch, detail } of stored.leases) {
    if (name === SESSION_LEASE) continue
    const holder = JSON.parse(detail) as LeaseHolder | null // Written by `lease-service.ts`.
    cell.leases ??= new Map()
    cell.leases.set(name, { name, epoch, holder: holder ?? undefined })
  }
  if (cell.hasTurns) cell.pushInternal({ tag: 'turn', news: { kind: 'recover' } })
  cell.isStored = true
  cell.revision = stored.revision + stored.events.length
  // A migrated snapshot counts as very old, so that the next change writes it in its new form.
  cell.snapshotRevision = stored.version === definition.version ? stored.revision : Number.NEGATIVE_INFINITY
  core.batch.starts.push(cell)
}

/** A stored snapshot in the form of the present version. Throws `NoMigration`, or what a migration throws. */
export function migrated(cell: Cell, stored: StoredActor): unknown {
  const { version, migrate } = cell.kind.definition
  let snapshot: unknown = JSON.parse(stored.snapshot)
  if (stored.version > version) throw new NoMigration(cell.address, stored.version, version)
  for (let from = stored.version; from < version; from += 1) {
    const migration = migrate[from]
    if (migration === undefined) throw new NoMigration(cell.address, stored.version, version)
    snapshot = migration(snapshot)
  }
  return snapshot
}
