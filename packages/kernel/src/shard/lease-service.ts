/**
 * Serving leases: who gets one, who waits for it, and what the actor's machine hears: `<name>.granted`, `<name>.released`.
 *
 * | what comes | free or expired | held by the caller | held by somebody else |
 * |---|---|---|---|
 * | acquire | granted, epoch + 1 | renewed, same epoch | waits in order, or is told who has it |
 * | renew | `StaleEpoch` | longer | `StaleEpoch` |
 * | release | nothing, if it was the caller's once | freed; the first who waits gets it at once | nothing, if it was the caller's once; else `StaleEpoch` |
 * | hand over | `StaleEpoch` | given to the one named, epoch + 1 | `StaleEpoch` |
 * | force release | nothing | freed, as above | freed, as above |
 * | its time is over | – | freed, as above | – |
 */
import { asError, InvalidInput, MailboxFull, StaleEpoch, SystemClosed } from '../errors.ts'
import type { Hosted } from '../hosting/host.ts'
import type { Control } from '../protocol/control.ts'
import { answer, refuse } from './answers.ts'
import { NOBODY } from './calls.ts'
import type { Cell, Waiting } from './cell.ts'
import type { ShardCore } from './core.ts'
import { Gauge } from './gauges.ts'
import { freed, granted, isHeld, isHeldBy, newLease, timerOfLease } from './lease.ts'
import type { Lease } from './lease.ts'
import { cancelTurn } from './preemption.ts'
import { finish, serveStep } from './service.ts'
import { tap } from './tap.ts'

const LEASES_MAX = 1_000

/** Serves a wish about the turns or leases of an actor. */
export function serveControl(core: ShardCore, cell: Cell, hosted: Hosted, waiting: Waiting): void {
  const { call } = waiting
  core.controls.delete(call)
  core.batch.touch(cell)
  try {
    const control = waiting.input as Control // Written by `Ref`.
    if (control.kind === 'cancel-turn') {
      const { turn, attempt, mode, reason } = control
      const isMeant = cancelTurn(core, cell, { turn, attempt, mode, by: reason === undefined ? {} : { reason } })
      answer(core, cell, call, isMeant ? 'accepted' : 'superseded')
    } else serveLease(core, cell, hosted, call, control)
  } catch (error) {
    refuse(core, cell, call, asError(error))
  }
  finish(core, waiting)
}

/** Lets control wait no more whose caller has left. */
export function withdrawControl(core: ShardCore, call: number): void {
  const waiting = core.controls.get(call)
  if (waiting === undefined) return
  core.controls.delete(call)
  waiting.isWithdrawn = true
  core.waiting.remove(waiting)
}

/** Ends a lease whose time is over. */
export function expireLease(core: ShardCore, cell: Cell, hosted: Hosted, name: string): void {
  const lease = cell.leases?.get(name)
  if (lease?.holder !== undefined && !isHeld(lease, core.clock.wall())) takeAway(core, cell, hosted, lease, 'expired')
}

function serveLease(core: ShardCore, cell: Cell, hosted: Hosted, call: number, control: Exclude<Control, { kind: 'cancel-turn' }>): void {
  const { name } = control
  const lease = cell.leases?.get(name) ?? newLease(name)
  const now = core.clock.wall()
  switch (control.kind) {
    case 'acquire':
      acquire(core, cell, hosted, call, lease, control)
      return
    case 'renew':
      requireOwner(cell, lease, control, now)
      give(core, cell, hosted, lease, control.owner, control.ttlMs)
      answer(core, cell, call, undefined)
      return
    case 'release': {
      const isOwner = isHeldBy(lease, control.owner, control.epoch, now)
      // One that was evicted releases late; that is no mistake of its own.
      if (!isOwner && control.epoch >= lease.epoch && isHeld(lease, now)) requireOwner(cell, lease, control, now)
      if (isOwner) takeAway(core, cell, hosted, lease, 'released')
      answer(core, cell, call, isOwner)
      return
    }
    case 'hand-over':
      requireOwner(cell, lease, control, now)
      give(core, cell, hosted, lease, control.to, control.ttlMs)
      answer(core, cell, call, cell.leases?.get(name)?.epoch)
      return
    case 'force-release': {
      const wasHeld = isHeld(lease, now)
      if (wasHeld) takeAway(core, cell, hosted, lease, 'forced', control.reason)
      answer(core, cell, call, wasHeld)
      return
    }
    case 'read-lease':
      answer(core, cell, call, {
        epoch: lease.epoch,
        ...(isHeld(lease, now) ? lease.holder : {}),
        waiting: core.leaseQueue.size(cell, name),
      })
  }
}

function acquire(
  core: ShardCore,
  cell: Cell,
  hosted: Hosted,
  call: number,
  lease: Lease,
  { name, owner, ttlMs, waitMs }: Extract<Control, { kind: 'acquire' }>,
): void {
  const now = core.clock.wall()
  if (lease.epoch === 0 && (cell.leases?.size ?? 0) >= LEASES_MAX)
    throw new InvalidInput('lease', 'name', `is one too many: an actor has at most ${LEASES_MAX}`)
  const isMine = isHeld(lease, now) && lease.holder?.owner === owner
  if (isMine || (!isHeld(lease, now) && core.leaseQueue.size(cell, name) === 0)) {
    give(core, cell, hosted, lease, owner, ttlMs)
    answer(core, cell, call, { isGranted: true, epoch: cell.leases?.get(name)?.epoch })
    return
  }
  const refused = { isGranted: false, owner: lease.holder?.owner ?? null, epoch: lease.epoch }
  if (waitMs <= 0) {
    answer(core, cell, call, refused)
    return
  }
  if (core.turns.isClosing) throw new SystemClosed(false)
  const { capacity } = cell.kind.definition.mailbox
  if (core.leaseQueue.size(cell, name) >= capacity) throw new MailboxFull(cell.address, 'mailbox', capacity)
  core.leaseQueue.add(cell, name, { call, owner, ttlMs, waitMs, refused })
}

/** Gives a lease to an owner, as part of the open batch. */
function give(core: ShardCore, cell: Cell, hosted: Hosted, lease: Lease, owner: string, ttlMs: number): void {
  const next = granted(lease, owner, ttlMs, core.clock.wall())
  save(core, cell, next)
  core.timers.wish(cell, {
    kind: 'set',
    name: timerOfLease(lease.name),
    event: { type: 'bailiwick.lease' },
    delayMs: ttlMs,
    onRestart: 'deadline',
  })
  if (next.epoch !== lease.epoch) tap(core, { kind: 'lease.granted', actor: cell.address, name: lease.name, owner, epoch: next.epoch })
  if (next.epoch !== lease.epoch) say(core, cell, hosted, `${lease.name}.granted`, { owner, epoch: next.epoch })
}

/** Takes a lease from whoever has it, and gives it to the first who waits: there is no moment at which anybody else could get it. */
function takeAway(
  core: ShardCore,
  cell: Cell,
  hosted: Hosted,
  lease: Lease,
  how: 'released' | 'expired' | 'forced',
  reason?: string,
): void {
  save(core, cell, freed(lease))
  core.timers.wish(cell, { kind: 'cancel', name: timerOfLease(lease.name) })
  const { name, epoch, holder } = lease
  tap(core, { kind: 'lease.released', actor: cell.address, name, owner: holder?.owner ?? null, epoch, how })
  say(core, cell, hosted, `${lease.name}.released`, {
    owner: lease.holder?.owner ?? null,
    epoch: lease.epoch,
    how,
    ...(reason === undefined ? {} : { reason }),
  })
  const waiter = core.leaseQueue.shift(cell, lease.name)
  if (waiter === undefined) return
  give(core, cell, hosted, freed(lease), waiter.owner, waiter.ttlMs)
  answer(core, cell, waiter.call, { isGranted: true, epoch: cell.leases?.get(lease.name)?.epoch })
}

function requireOwner(
  cell: Cell,
  lease: Lease,
  { kind, owner, epoch }: { readonly kind: string; readonly owner: string; readonly epoch: number },
  now: number,
): void {
  if (!isHeldBy(lease, owner, epoch, now))
    throw new StaleEpoch(`${kind} of the lease "${lease.name}" of ${cell.address}`, epoch, lease.epoch)
}

function save(core: ShardCore, cell: Cell, lease: Lease): void {
  cell.leases ??= new Map()
  cell.leases.set(lease.name, lease)
  const actor = core.numberOf(cell)
  const { name, epoch, holder } = lease
  core.batch.leasesTouched.set(`${actor}/${name}`, { actor, name, epoch, detail: JSON.stringify(holder ?? null) })
}

function say(core: ShardCore, cell: Cell, hosted: Hosted, type: string, fields: object): void {
  try {
    serveStep(core, cell, hosted, { ...fields, type }, NOBODY)
  } catch (error) {
    core.count(Gauge.failed)
    core.report(error)
    core.supervisor.failed(cell, { error, because: type, isOwn: true })
  }
}
