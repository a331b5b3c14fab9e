/** Turns as the store keeps them. */
import type { StoredLease, StoredTurn, TurnChanged } from '@bailiwick/store'
import { Session } from './session.ts'
import type { TurnRecord } from './session.ts'

/** Name of the lease under which an actor's turns run. No other lease can have it. */
export const SESSION_LEASE = '~turn'

/** A turn's row. Its frame has a row of its own. */
export function rowOfTurn(actor: number, record: TurnRecord): TurnChanged {
  const { id, command, state, frame: _frame, ...detail } = record
  return { sequence: id, actor, command, isEnded: state === 'ended', detail: JSON.stringify({ ...detail, state }) }
}

/** A turn from its row. */
export function turnOfRow({ sequence, command, detail, frame, isFrameDiscarded }: StoredTurn): TurnRecord {
  const kept = JSON.parse(detail) as Omit<TurnRecord, 'id' | 'command' | 'frame'> // Written by `rowOfTurn`.
  return { ...kept, intent: kept.intent, outcome: kept.outcome, id: sequence, command, frame: isFrameDiscarded ? undefined : frame }
}

/** The session of an actor from its rows; `undefined` if it never had a turn. `rankNow` says which rank a command has now. */
export function sessionOfRows(
  turns: readonly StoredTurn[],
  leases: readonly StoredLease[],
  rankNow: (command: string) => number | undefined,
): Session | undefined {
  const lease = leases.find(({ name }) => name === SESSION_LEASE)
  if (lease === undefined && turns.length === 0) return undefined
  return new Session(
    lease?.epoch ?? 0,
    turns.map((row) => {
      const record = turnOfRow(row)
      return { ...record, rank: rankNow(record.command) ?? record.rank }
    }),
  )
}
