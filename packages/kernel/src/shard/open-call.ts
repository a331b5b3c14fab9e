/**
 * Open calls: commands that an actor has taken and will answer later, and requests that it has made.
 *
 * They are part of the actor's stored state, so that a crash loses neither an answer nor who waits for it, and so that an
 * idempotency key stays reserved while its command is being worked on.
 */
import type { StoredOpenCall } from '@bailiwick/store'
import type { Caller, ChainLink, LeaseMark } from './detail.ts'
import type { Lane } from './lanes.ts'

/** A command that is not answered yet: its actor answers it later, or it is a turn. */
export interface OpenReply {
  readonly kind: 'reply' | 'turn'
  readonly sequence: number
  readonly command: string
  readonly lane: Lane
  /** The command's input; an edit replaces it, and it is what is tried again after a failure. */
  readonly input: object | null
  /** The actors that await the answer. */
  readonly callers: readonly Caller[]
  /** The asks that led to it, without itself. */
  readonly chain?: readonly ChainLink[] | undefined
  readonly idempotency?: { readonly key: string; readonly fingerprint: string } | undefined
  readonly from?: string | undefined
  readonly naturalKey?: string | undefined
  readonly deliveries?: readonly string[] | undefined
  /** The lease under which it counts, for one that waits for the session. */
  readonly lease?: LeaseMark | undefined
  /** Whether somebody outside asked; a tell ends in the dead letters if it fails. */
  readonly isAsk: boolean
}

/** A request whose answer has not come. */
export interface OpenRequest {
  readonly kind: 'request'
  readonly sequence: number
  /** Address of the actor that was asked. */
  readonly to: string
  readonly command: string
  readonly onDone: string
  readonly onError: string
  readonly timeoutMs: number
  /** The asks on whose behalf it was made. */
  readonly chain?: readonly ChainLink[] | undefined
  /** The open reply on whose behalf it was made. */
  readonly cause?: number | undefined
}

/** A notice that this actor owes to one that watches it, once it has come to its end. */
export interface OpenWatch {
  readonly kind: 'watch'
  readonly sequence: number
  /** The one that watches. */
  readonly callers: readonly Caller[]
}

/** A call that is open. */
export type OpenCall = OpenReply | OpenRequest | OpenWatch

/** Writes an open call for the store. */
export function encodeOpenCall(call: OpenCall): string {
  return JSON.stringify(call)
}

/** Reads the open calls of an actor; `undefined` for none. */
export function decodeOpenCalls(stored: readonly StoredOpenCall[]): Map<number, OpenCall> | undefined {
  if (stored.length === 0) return undefined
  return new Map(stored.map(({ sequence, detail }) => [sequence, JSON.parse(detail) as OpenCall])) // Written by `encodeOpenCall`.
}

/** Name of the timer that ends an open call. */
export function timerOfCall(sequence: number): string {
  return `~call:${sequence}`
}

/** The open call that a timer of this name ends, if it is one of those. */
export function callOfTimer(name: string): number | undefined {
  return name.startsWith('~call:') ? Number(name.slice('~call:'.length)) : undefined
}

/** Whether a call is a command that is answered by this actor. */
export function isReply(call: OpenCall): call is OpenReply {
  return call.kind === 'reply' || call.kind === 'turn'
}
