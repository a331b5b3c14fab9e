/**
 * A lease: the right to act for something that an actor names, for a while.
 *
 * Pure bookkeeping over one value; whoever holds it stores it and sets its timer. Every grant to somebody else raises the
 * epoch, which is the fencing token: a write that names an older epoch is refused (Gray and Cheriton, "Leases", 1989, with
 * the fencing of Chubby's sequencers). The store never forgets an epoch, so a lease that was free for years goes on counting.
 */

/** Who holds a lease. */
export interface LeaseHolder {
  readonly owner: string
  /** Wall time of the shard at which it ends, in milliseconds since 1970. */
  readonly expiresAt: number
}

/** A lease. */
export interface Lease {
  readonly name: string
  readonly epoch: number
  readonly holder: LeaseHolder | undefined
}

/** A lease that nobody ever held. */
export function newLease(name: string): Lease {
  return { name, epoch: 0, holder: undefined }
}

/** Whether somebody holds it at a moment. At `expiresAt` it is over. */
export function isHeld({ holder }: Lease, now: number): boolean {
  return holder !== undefined && holder.expiresAt > now
}

/** Whether an owner holds it under this epoch at a moment. */
export function isHeldBy(lease: Lease, owner: string, epoch: number, now: number): boolean {
  return lease.epoch === epoch && lease.holder?.owner === owner && isHeld(lease, now)
}

/** Gives it to an owner. The one who has it keeps its epoch; anybody else gets the next. */
export function granted(lease: Lease, owner: string, ttlMs: number, now: number): Lease {
  const isSame = lease.holder?.owner === owner && isHeld(lease, now)
  return { name: lease.name, epoch: isSame ? lease.epoch : lease.epoch + 1, holder: { owner, expiresAt: now + ttlMs } }
}

/** Takes it from whoever has it. */
export function freed({ name, epoch }: Lease): Lease {
  return { name, epoch, holder: undefined }
}

/** Name of the timer that ends a lease. */
export function timerOfLease(name: string): string {
  return `~lease:${name}`
}

/** The lease that a timer of this name ends, if it is one of those. */
export function leaseOfTimer(name: string): string | undefined {
  return name.startsWith('~lease:') ? name.slice('~lease:'.length) : undefined
}
