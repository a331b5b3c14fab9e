/** Fencing: what is sent under a lease counts only as long as that lease is held. */
import { StaleEpoch } from '../errors.ts'
import type { Cell } from './cell.ts'
import type { ShardCore } from './core.ts'
import type { LeaseMark } from './detail.ts'
import { Gauge } from './gauges.ts'
import { isHeld } from './lease.ts'

/** Why a command that was sent under a lease does not count any more, if it does not. */
export function staleLeaseOf(core: ShardCore, cell: Cell, command: string, mark: LeaseMark | undefined): StaleEpoch | undefined {
  if (mark === undefined) return undefined
  const { name, epoch } = mark
  const lease = cell.leases?.get(name)
  if (lease?.epoch === epoch && isHeld(lease, core.clock.wall())) return undefined
  core.count(Gauge.lateResults)
  return new StaleEpoch(`${command} of ${cell.address} under the lease "${name}"`, epoch, lease?.epoch ?? 0)
}
