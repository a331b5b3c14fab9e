/** Turns and late results as they leave the shard, for people to look at. */
import type { LateResult, StoredTurn } from '@bailiwick/store'
import type { Interruption, TurnCause } from '../definition/turn-context.ts'
import { isReply } from './open-call.ts'
import type { Cell } from './cell.ts'
import type { Stretch, TurnState } from './session.ts'
import { turnOfRow } from './turn-row.ts'

/** A turn of an actor. */
export interface TurnView {
  /** Its number, unique on its shard for ever. */
  readonly turn: number
  readonly command: string
  /** Its input, as long as it has not ended. */
  readonly input?: unknown
  readonly state: TurnState
  /** Name of its rank: one of `turns.ranks`, or the priority with which it was sent. */
  readonly rank: string
  readonly attempt: number
  /** Epoch of its last stretch of running; 0 before the first. */
  readonly epoch: number
  /** What it is about to be interrupted with. */
  readonly intent?: Interruption
  /** Wall time since which it is in its state, in milliseconds since 1970. */
  readonly since: number
  /** For how long it has been parked before that, in milliseconds. */
  readonly heldOffMs: number
  /** Its last checkpoint, also one from which it will not resume any more. */
  readonly frame?: unknown
  readonly isFrameDiscarded: boolean
  /** Its last stretches of running, 32 at most, the oldest first. */
  readonly history: readonly Stretch[]
  /** How it has ended, as its caller got it. */
  readonly outcome?: { readonly outcome: string; readonly mode?: string; readonly by?: TurnCause }
  /** Time since its last sign of life, where it runs: its beginning, a checkpoint, progress; in milliseconds. */
  readonly silentMs?: number
  /** Whether that is longer than its `silentMs`. Nothing else happens to a silent turn. */
  readonly isSilent: boolean
}

/** Something that came from an epoch that was over, and took no effect. */
export interface LateResultView {
  /** The epoch that it came from. */
  readonly epoch: number
  /** The epoch that counted. */
  readonly current: number
  /** Number of the turn that it came from. */
  readonly turn: number
  readonly what: 'result' | 'checkpoint'
  /** Wall time in milliseconds since 1970. */
  readonly at: number
}

const PRIORITY_RANKS = ['urgent', 'high', 'normal', 'low']

/** A turn from its row, and what is known of it while it runs. */
export function viewOfTurn(cell: Cell, row: StoredTurn, silentMs: number | undefined): TurnView {
  const { id, command, state, rank, attempt, epoch, intent, since, heldOffMs, history, outcome } = turnOfRow(row)
  const { definition } = cell.kind
  const call = state === 'ended' ? undefined : cell.openCalls?.get(id)
  const ranks = definition.turns.ranks.length === 0 ? PRIORITY_RANKS : definition.turns.ranks
  const isSilent = silentMs !== undefined && silentMs > (definition.commands.get(command)?.turn?.silentMs ?? Number.POSITIVE_INFINITY)
  return {
    turn: id,
    command,
    ...(call === undefined || !isReply(call) ? {} : { input: call.input ?? {} }),
    state,
    rank: ranks[rank] ?? 'none',
    attempt,
    epoch,
    ...(intent === undefined ? {} : { intent: { mode: intent.mode, by: intent.by } }),
    since,
    heldOffMs,
    ...(row.frame === undefined ? {} : { frame: JSON.parse(row.frame) as unknown }),
    isFrameDiscarded: row.isFrameDiscarded,
    history,
    ...(outcome === undefined ? {} : { outcome: outcome as { readonly outcome: string } }), // Written by `turn-service.ts` as a `TurnOutcome`.
    ...(silentMs === undefined ? {} : { silentMs: Math.round(silentMs) }),
    isSilent,
  }
}

/** A late result from its row. */
export function viewOfLateResult({ epoch, detail, at }: LateResult): LateResultView {
  return { epoch, at, ...(JSON.parse(detail) as Pick<LateResultView, 'turn' | 'what' | 'current'>) } // Written by `turn-service.ts`.
}
