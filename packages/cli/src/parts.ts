/** What belongs to one actor, as it is shown: what waits for it, what it waits for, who works for it, what it has been through. */
import { decodeLane, decodeLease, decodeOpenCall, decodeTurn } from '@bailiwick/kernel'
import type { ActorDetail, InboxRow } from '@bailiwick/store'
import { addressOf } from './address.ts'
import type { Timer } from './commands/timers.ts'
import type { Fault } from './fault.ts'
import { attempt, parsed, textField } from './stored.ts'

/** One actor. Inputs and events are there only if everything is wanted. */
export interface Detail {
  readonly actor: string
  readonly type: string
  readonly key: string
  readonly shard: number
  readonly isStored: boolean
  readonly revision: number | null
  readonly snapshotRevision: number | null
  readonly version: number | null
  readonly bytes: number
  readonly state: unknown
  readonly fault: Fault | null
  readonly waiting: readonly WaitingCommand[]
  readonly timers: readonly Timer[]
  readonly leases: readonly LeaseShown[]
  readonly openCalls: readonly OpenCallShown[]
  readonly turns: readonly TurnShown[]
  readonly journal: readonly JournalEvent[]
}

/** A command that waits. */
export interface WaitingCommand {
  readonly sequence: number
  readonly command: string
  readonly priority: string | null
  readonly at: number
  readonly dueAt: number | null
  readonly input?: unknown
}

/** A command that waits, from its row. */
export function waitingOf({ sequence, command, lane, at, dueAt, input }: InboxRow, isFull: boolean): WaitingCommand {
  return { sequence, command, priority: decodeLane(lane) ?? null, at, dueAt: dueAt ?? null, ...(isFull ? { input: parsed(input) } : {}) }
}

/** A lease, and who holds it if anybody does. */
export interface LeaseShown {
  readonly name: string
  readonly epoch: number
  readonly owner: string | null
  readonly expiresAt: number | null
}

/** The leases that the actor has given; the one of its turns is not among them. */
export function leasesOf(rows: ActorDetail['leases']): readonly LeaseShown[] {
  return rows.flatMap((row) => {
    const lease = attempt(() => ({ decoded: decodeLease(row) }))
    if (lease !== undefined && lease.decoded === undefined) return []
    const holder = lease?.decoded?.holder
    return [{ name: row.name, epoch: row.epoch, owner: holder?.owner ?? null, expiresAt: holder?.expiresAt ?? null }]
  })
}

/** A call that is open: a command that it will answer (`reply`, `turn`), a question that it has asked (`request`), a notice that it owes (`watch`). */
export interface OpenCallShown {
  readonly sequence: number
  readonly kind: string | null
  readonly command: string | null
  /** Whom it has asked. */
  readonly to: string | null
  /** The actors that await its answer. */
  readonly callers: readonly string[]
  readonly input?: unknown
}

/** An open call from its row. */
export function callOf({ sequence, detail }: ActorDetail['openCalls'][number], isFull: boolean): OpenCallShown {
  const call = attempt(() => decodeOpenCall(detail))
  if (call === undefined) return { sequence, kind: null, command: null, to: null, callers: [] }
  const callers = call.kind === 'request' ? [] : call.callers.map(addressOf)
  const command = call.kind === 'watch' ? null : call.command
  const to = call.kind === 'request' ? call.to : null
  const input = isFull && (call.kind === 'reply' || call.kind === 'turn') ? { input: call.input } : {}
  return { sequence, kind: call.kind, command, to, callers, ...input }
}

/** A turn. What cannot be read of it is null. */
export interface TurnShown {
  readonly turn: number
  readonly command: string
  readonly state: string | null
  readonly rank: number | null
  readonly attempt: number | null
  readonly epoch: number | null
  readonly since: number | null
  /** What it is about to be interrupted with. */
  readonly intent: string | null
  /** How it has ended. */
  readonly outcome: string | null
  readonly hasFrame: boolean
  /** How it has ended, as its caller got it. */
  readonly result?: unknown
}

/** A turn from its row. */
export function turnOf(row: ActorDetail['turnRows'][number], isFull: boolean): TurnShown {
  const turn = attempt(() => decodeTurn(row))
  return {
    turn: row.sequence,
    command: row.command,
    state: turn?.state ?? null,
    rank: turn?.rank ?? null,
    attempt: turn?.attempt ?? null,
    epoch: turn?.epoch ?? null,
    since: turn?.since ?? null,
    intent: turn?.intent?.mode ?? null,
    outcome: textField(turn?.outcome, 'outcome'),
    hasFrame: row.hasFrame,
    ...(isFull ? { result: turn?.outcome ?? null } : {}),
  }
}

/** An event of a journaled actor. */
export interface JournalEvent {
  /** The actor's revision after it. */
  readonly revision: number
  readonly at: number
  readonly type: string | null
  readonly event?: unknown
}

/** So many events at the end of a journal are shown, unless everything is wanted. */
const JOURNAL_TAIL = 10

/** The last events after the snapshot, in order. */
export function journalOf(events: ActorDetail['events'], isFull: boolean): readonly JournalEvent[] {
  return (isFull ? events : events.slice(-JOURNAL_TAIL)).map(({ sequence, at, event }) => {
    const value = parsed(event)
    return { revision: sequence, at, type: textField(value, 'type'), ...(isFull ? { event: value } : {}) }
  })
}
