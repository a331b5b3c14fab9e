/** Leases: one holder at a time, an epoch that grows, and no write of somebody whose time is over (G7). */
import { Anomalies } from './verdict.ts'
import type { Verdict } from './verdict.ts'

/** Somebody has held a lease. Moments are positions in one order of everything that the test has recorded. */
export interface LeaseHeld {
  readonly type: 'lease'
  readonly name: string
  /** Who: the owner that acquired it. A holder that renews keeps its epoch and is told once. */
  readonly holder: string
  readonly epoch: number
  /** From here it believed to hold it: its call was answered; or the grant itself, where the test can see that. */
  readonly from: number
  /** Up to here it was entitled to believe so: its deadline, or when it heard that it is over. Absent: to the end. */
  readonly until?: number
  /** Here its giving it back was acknowledged: from here on not even its guard may take anything of this epoch. */
  readonly released?: number
}

/** Somebody has written under a lease. */
export interface GuardedWrite {
  readonly type: 'write'
  readonly name: string
  /** The epoch that the write named. */
  readonly epoch: number
  /** Where it was decided: recorded by whoever guards what is written, not where its caller heard of it. */
  readonly at: number
  readonly accepted: boolean
}

/** What `checkLeaseOrder` looks at. The order in the list does not matter. */
export type LeaseEvent = LeaseHeld | GuardedWrite

/**
 * What can be wrong with leases. `epoch-not-grown`: a later grant has the same epoch or a smaller one. `two-holders`: two believed
 * at the same time. `stale-write`: a write was accepted although a newer epoch had been given before. `write-after-release`: it was
 * accepted although its own lease had been given back. `write-without-lease`: nobody ever had this epoch.
 */
export type LeaseAnomaly = 'epoch-not-grown' | 'two-holders' | 'stale-write' | 'write-after-release' | 'write-without-lease'

/** How much was looked at. */
export interface LeaseCounts {
  readonly leases: number
  readonly accepted: number
  readonly refused: number
}

/** Checks leases and the writes under them, for each name apart. A write that is refused is never wrong here. */
export function checkLeaseOrder(events: readonly LeaseEvent[]): Verdict<LeaseAnomaly, LeaseCounts> {
  const found = new Anomalies<LeaseAnomaly>()
  const counts = { leases: 0, accepted: 0, refused: 0 }
  for (const ofName of Map.groupBy(events, ({ name }) => name).values()) {
    const leases = ofName.filter((event) => event.type === 'lease').toSorted((one, other) => one.from - other.from)
    const writes = ofName.filter((event) => event.type === 'write').toSorted((one, other) => one.at - other.at)
    const accepted = writes.filter((write) => write.accepted)
    counts.leases += leases.length
    counts.accepted += accepted.length
    counts.refused += writes.length - accepted.length
    lookAtGrants(leases, found)
    lookAtWrites(leases, accepted, found)
  }
  return found.verdict(counts)
}

function lookAtGrants(leases: readonly LeaseHeld[], found: Anomalies<LeaseAnomaly>): void {
  // The one with the largest epoch so far, and the one that believes longest: what comes later is compared with these.
  let [newest] = leases
  let longest = newest
  for (const lease of leases.slice(1)) {
    if (newest !== undefined && lease.epoch <= newest.epoch) {
      found.add('epoch-not-grown', `${named(lease)} came after ${named(newest)}, and its epoch is not larger`)
    } else newest = lease
    if (longest !== undefined && lease.holder !== longest.holder && lease.from < endOf(longest) && lease.from < endOf(lease)) {
      found.add('two-holders', `${named(lease)} began while ${named(longest)} still believed to hold it`)
    }
    if (longest === undefined || endOf(lease) > endOf(longest)) longest = lease
  }
}

function lookAtWrites(leases: readonly LeaseHeld[], accepted: readonly GuardedWrite[], found: Anomalies<LeaseAnomaly>): void {
  const byEpoch = new Map(leases.map((lease) => [lease.epoch, lease]))
  let next = 0
  let newest: LeaseHeld | undefined
  for (const { name, epoch, at } of accepted) {
    for (let lease = leases[next]; lease !== undefined && lease.from < at; lease = leases[next]) {
      if (newest === undefined || lease.epoch > newest.epoch) newest = lease
      next += 1
    }
    const write = `a write under epoch ${epoch} of ${name} was accepted at ${at}`
    const own = byEpoch.get(epoch)
    if (own === undefined) found.add('write-without-lease', `${write}, though nobody had that epoch`)
    else if (newest !== undefined && newest.epoch > epoch) found.add('stale-write', `${write}, after ${named(newest)} had begun`)
    else if (own.released !== undefined && own.released < at) {
      found.add('write-after-release', `${write}, after ${own.holder} had given it back at ${own.released}`)
    }
  }
}

function endOf({ until = Infinity, released = Infinity }: LeaseHeld): number {
  return Math.min(until, released)
}

function named(lease: LeaseHeld): string {
  const end = endOf(lease)
  return `epoch ${lease.epoch} of ${lease.name} (held by ${lease.holder} from ${lease.from} to ${end === Infinity ? 'the end' : end})`
}
