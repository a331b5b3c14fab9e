/**
 * What a message carries beside its command, where it carries anything: who waits for the answer, for whom it was sent,
 * under which names it may be edited. Kept as JSON in the inbox, in open calls and in dead letters.
 */
import type { Preempt } from '../definition/turn-context.ts'

/** An actor that awaits the answer to a request. */
export interface Caller {
  readonly type: string
  readonly key: string
  /** Its open call for this request; for a child, the number of its ask. */
  readonly request: number
  /** Epoch of the shard, for a child: an ask of an earlier life has nobody who waits. */
  readonly life?: number
}

/** One actor in the chain of asks that led to a message, and what it was asked for. */
export interface ChainLink {
  /** Address of the actor. */
  readonly actor: string
  readonly command: string
}

/** A lease as one who holds it names it. */
export interface LeaseMark {
  readonly name: string
  readonly epoch: number
}

/** What belongs to a message beside its command and input. */
export interface Detail {
  /** The input is an event for the actor's own logic: the answer to a request, or the end of an effect. */
  readonly isEvent?: true
  /** Who awaits the answer. */
  readonly caller?: Caller
  /** The asks that led to it, the first one first. */
  readonly chain?: readonly ChainLink[]
  /** Address of the actor that sent it. */
  readonly from?: string
  /** Open call of the receiver that the event ends: a request. */
  readonly answers?: number
  /** The event answers a child's ask, made in this life of the shard. */
  readonly life?: number
  /** Open call of the receiver on whose behalf the event comes: a command that is not answered yet. */
  readonly cause?: number
  /** Name under which the sender may edit it while it waits. */
  readonly naturalKey?: string | undefined
  /** Names of the deliveries that it stands for. */
  readonly deliveries?: readonly string[] | undefined
  /** What it does to a running turn of lower rank, where its sender said so. */
  readonly preempt?: Preempt
  /** The lease under which it was sent: it counts only as long as that one does. */
  readonly lease?: LeaseMark
  /** The command in whose handling it was sent, as the tap names it; only while somebody reads the tap. */
  readonly via?: string
  /** Its caller wants to hear of progress. */
  readonly isFollowed?: true
}

/** Writes a detail; nothing for nothing. */
export function encodeDetail(detail: Detail | undefined): string | undefined {
  return detail === undefined ? undefined : JSON.stringify(detail)
}

/** Reads a detail back. */
export function decodeDetail(text: string | undefined): Detail | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as Detail) // Written by `encodeDetail`.
}

/** A message from one actor to another, as it crosses shards and waits to be delivered. */
export interface Parcel {
  readonly type: string
  readonly key: string
  /** Name of the command; the type of the event for an event. */
  readonly command: string
  readonly lane: number
  readonly input: object | null
  readonly idempotency?: { readonly key: string; readonly fingerprint: string } | undefined
  readonly dueAt?: number | undefined
  readonly detail?: Detail | undefined
}
