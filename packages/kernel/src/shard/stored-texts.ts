/**
 * What the store's texts say, for tools that look at a directory from outside. The encodings belong to the files beside this
 * one; here they are read without definitions and without an actor in memory.
 *
 * Each function throws what `JSON.parse` throws if the text is damaged.
 */
import { SESSION_LEASE, turnOfRow } from './turn-row.ts'
import type { Parcel } from './detail.ts'
import { leaseOfTimer } from './lease.ts'
import type { Lease, LeaseHolder } from './lease.ts'
import { PRIORITIES } from './lanes.ts'
import type { Priority } from './lanes.ts'
import { callOfTimer } from './open-call.ts'
import type { OpenCall } from './open-call.ts'
import type { TurnRecord } from './session.ts'

/** A turn from the texts of its row, without its frame. */
export function decodeTurn(row: {
  readonly sequence: number
  readonly command: string
  readonly isEnded: boolean
  readonly detail: string
}): Readonly<TurnRecord> {
  return turnOfRow({ ...row, frame: undefined, isFrameDiscarded: false })
}

/** An open call from the text of its row. */
export function decodeOpenCall(detail: string): OpenCall {
  return JSON.parse(detail) as OpenCall // Written by `encodeOpenCall`.
}

/** A lease from its row; `undefined` for the one under which the actor's turns run. */
export function decodeLease({
  name,
  epoch,
  detail,
}: {
  readonly name: string
  readonly epoch: number
  readonly detail: string
}): Lease | undefined {
  if (name === SESSION_LEASE) return undefined
  const holder = JSON.parse(detail) as LeaseHolder | null // Written by `lease-service.ts`.
  return { name, epoch, holder: holder ?? undefined }
}

/** A message for another shard. */
export function decodeParcel(message: string): Parcel {
  return JSON.parse(message) as Parcel // Written by `links.ts`.
}

/** What a timer is: one of the actor's own, or the end of an open call or of a lease; `name` is what an actor calls it. */
export function decodeTimerName(name: string): { readonly kind: 'timer' | 'call' | 'lease'; readonly name: string } {
  const call = callOfTimer(name)
  if (call !== undefined) return { kind: 'call', name: String(call) }
  const lease = leaseOfTimer(name)
  return lease === undefined ? { kind: 'timer', name } : { kind: 'lease', name: lease }
}

/** Name of a lane; `undefined` for a number that is none. */
export function decodeLane(lane: number): Priority | undefined {
  return PRIORITIES[lane]
}
