/**
 * Preemption: who may interrupt whom, and the note of it. The note is part of the open batch; the signal fires after its
 * commit. What becomes of the turn is decided when its stretch has ended (`turn-service.ts`).
 */
import type { Interruption, Preempt, TurnCause } from '../definition/turn-context.ts'
import type { Cell, Waiting } from './cell.ts'
import type { ShardCore } from './core.ts'
import { isStronger, mayPreempt } from './session.ts'
import type { Session, TurnRecord } from './session.ts'
import { tap } from './tap.ts'

/** Who interrupts, and how. */
export interface Preemption {
  readonly mode: Preempt
  readonly rank: number
  readonly by: TurnCause
}

/** What a command does to a turn of lower rank: what its caller says, else its definition. */
export function preemptOf({ command, detail }: Pick<Waiting, 'command' | 'detail'>): Preempt {
  return detail?.preempt ?? command?.preempt ?? 'none'
}

/** The rank of a command: that of its definition, or the lane that it was sent in. */
export function rankOf(cell: Cell, { command, lane }: Pick<Waiting, 'command' | 'lane'>): number {
  const { ranks } = cell.kind.definition.turns
  if (ranks.length === 0) return lane
  const rank = command?.rank
  return rank === undefined ? ranks.length : ranks.indexOf(rank)
}

/** The turn that a command would interrupt, if it would. */
export function holderBelow(session: Session | undefined, rank: number): TurnRecord | undefined {
  const holder = session?.holder
  return holder !== undefined && mayPreempt(rank, holder) ? holder : undefined
}

/** Interrupts what a command may interrupt: the turn that runs, and with an abort the parked ones too. */
export function preempt(core: ShardCore, cell: Cell, session: Session, { mode, rank, by }: Preemption): void {
  if (mode === 'none') return
  const holder = holderBelow(session, rank)
  if (holder !== undefined) intend(core, cell, holder, { mode, by })
  if (mode === 'steal') return
  for (const record of session.turns.values()) {
    if (record.state === 'parked' && mayPreempt(rank, record)) intend(core, cell, record, { mode, by })
  }
}

/** Notes what is to become of a turn. A weaker intent never takes the place of a stronger one. */
export function intend(core: ShardCore, cell: Cell, record: TurnRecord, { mode, by }: Interruption): void {
  if (!isStronger(mode, record)) return
  record.intent = { mode, by, at: core.batch.at }
  saveTurn(core, cell, record)
  core.batch.preemptions += 1
  const { command, id: turn, attempt, epoch } = record
  tap(core, {
    kind: 'turn.interrupted',
    actor: cell.address,
    command,
    turn,
    attempt,
    epoch,
    mode,
    ...(by.command === undefined ? {} : { by: by.command }),
  })
  if (record.state === 'running') core.batch.interrupts.push({ id: record.id, epoch: record.epoch, interruption: { mode, by } })
  else if (cell.session !== undefined) cell.session.hasIntents = true
}

/** Cancels a turn by its number; false if there is none that is meant. */
export function cancelTurn(
  core: ShardCore,
  cell: Cell,
  wanted: { readonly turn: number; readonly attempt: number | undefined; readonly mode: Interruption['mode']; readonly by: TurnCause },
): boolean {
  const record = cell.session?.turns.get(wanted.turn)
  if (record === undefined || (wanted.attempt !== undefined && wanted.attempt !== record.attempt)) return false
  const { mode, by } = wanted
  // What does not run need not stop: only for good, or without its frame.
  const isVain = record.state === 'pending' ? mode !== 'abort-drop' : record.state === 'parked' && mode === 'steal'
  if (!isVain) intend(core, cell, record, { mode, by })
  return true
}

/** Notes that a turn has changed. An actor that the store does not have yet gets its row first. */
export function saveTurn(core: ShardCore, cell: Cell, record: TurnRecord): void {
  if (!cell.isStored) core.markDirty(cell)
  core.batch.turnsTouched.set(record.id, { actor: core.numberOf(cell), record })
}
