/** One actor, for people. */
import { timerColumns } from './commands/timers.ts'
import type { Fault } from './fault.ts'
import { ageOf, countOf, dueOf, sizeOf } from './measure.ts'
import type { Detail, JournalEvent, OpenCallShown, TurnShown, WaitingCommand } from './parts.ts'
import { fieldOf } from './stored.ts'
import { block, fields, table } from './table.ts'
import type { Column } from './table.ts'
import { visible } from './text.ts'

/** Everything that is known of it, one part below the other; empty parts are left out. */
export function detailText(detail: Detail, now: number, isFull: boolean, width: number | undefined): string {
  const section = <Row>(title: string, rows: readonly Row[], columns: readonly Column<Row>[]): string =>
    rows.length === 0 ? '' : `\n${title}\n${table(rows, columns, width)}`
  return [
    `${visible(detail.actor)}\n`,
    fields([...factsOf(detail, now, isFull), ...(detail.fault === null ? [] : faultFacts(detail.fault, now, isFull))]),
    stateText(detail),
    section(`waiting (${detail.waiting.length})`, detail.waiting, waitingColumns(now, isFull)),
    section(`turns (${detail.turns.length})`, detail.turns, turnColumns(now, isFull)),
    section(`open calls (${detail.openCalls.length})`, detail.openCalls, callColumns(isFull)),
    section(`timers (${detail.timers.length})`, detail.timers, timerColumns(now, isFull)),
    section(`leases (${detail.leases.length})`, detail.leases, [
      { header: 'NAME', cell: ({ name }) => name, isElastic: true },
      { header: 'EPOCH', cell: ({ epoch }) => epoch, align: 'right' },
      { header: 'OWNER', cell: ({ owner }) => owner ?? 'nobody', isElastic: true },
      { header: 'ENDS', cell: ({ expiresAt }) => (expiresAt === null ? '' : dueOf(expiresAt, now, isFull)), align: 'right' },
    ]),
    section(journalTitle(detail), detail.journal, journalColumns(now, isFull)),
  ].join('')
}

type Fact = readonly [name: string, value: string | number | undefined]

function factsOf(detail: Detail, now: number, isFull: boolean): readonly Fact[] {
  const { shard, revision, snapshotRevision, version, bytes, state } = detail
  const after = (revision ?? 0) - (snapshotRevision ?? 0)
  const value = fieldOf(state, 'value')
  const status = fieldOf(state, 'status')
  const last = detail.journal.at(-1)
  const journaled = after === 0 ? '' : ` (snapshot of ${snapshotRevision ?? 0}, ${countOf(after, 'event')} after it)`
  return [
    ['shard', shard],
    ['revision', revision === null ? 'never stored' : `${revision}${journaled}`],
    ['version', version ?? undefined],
    ['size', sizeOf(bytes)],
    ['last event', last === undefined ? undefined : `${ageOf(last.at, now, isFull)}${isFull ? '' : ' ago'}`],
    ['status', typeof status === 'string' ? status : undefined],
    ['state', isEmpty(value) ? undefined : JSON.stringify(value)],
  ]
}

/** Machines without states have an empty object as their value. */
function isEmpty(value: unknown): boolean {
  return value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
}

function faultFacts({ held, failures }: Fault, now: number, isFull: boolean): readonly Fact[] {
  const times = failures.map((at) => ageOf(at, now, isFull)).join(', ')
  const failed = ['failures', times === '' ? undefined : `${times}${isFull ? '' : ' ago'}`] as const
  if (held === null) return [failed]
  const { mode, reason, error, command, revision, at } = held
  // The reason of an actor that has failed is the message of its error.
  const said = error === null || error.message === reason ? error?.code : `${error.code}: ${error.message}`
  return [
    [mode, `${isFull ? 'at' : 'for'} ${ageOf(at, now, isFull)}, at revision ${revision}`],
    ['reason', reason],
    ['error', said],
    ['command', command ?? undefined],
    failed,
  ]
}

/** What the logic keeps: the context of a machine, the whole of anything else. */
function stateText({ isStored, state }: Detail): string {
  if (!isStored) return ''
  const context = fieldOf(state, 'context')
  const output = fieldOf(state, 'output')
  const children = fieldOf(state, 'children')
  if (context === undefined) return `  snapshot\n${block(state)}`
  return [
    `  context\n${block(context)}`,
    output === undefined || output === null ? '' : `  output\n${block(output)}`,
    isEmpty(children) ? '' : `  children\n${block(children)}`,
  ].join('')
}

function journalTitle({ journal, revision, snapshotRevision }: Detail): string {
  const all = (revision ?? 0) - (snapshotRevision ?? 0)
  return journal.length < all ? `journal (the last ${journal.length} of ${all})` : `journal (${all})`
}

function waitingColumns(now: number, isFull: boolean): readonly Column<WaitingCommand>[] {
  return [
    { header: 'COMMAND', cell: ({ command }) => command, isElastic: true },
    { header: 'PRIORITY', cell: ({ priority }) => priority ?? '?' },
    { header: isFull ? 'AT' : 'AGE', cell: ({ at }) => ageOf(at, now, isFull), align: 'right' },
    { header: 'DUE', cell: ({ dueAt }) => (dueAt === null ? '' : dueOf(dueAt, now, isFull)), align: 'right' },
    ...(isFull ? [{ header: 'INPUT', cell: ({ input }: WaitingCommand) => JSON.stringify(input) }] : []),
  ]
}

function turnColumns(now: number, isFull: boolean): readonly Column<TurnShown>[] {
  return [
    { header: 'TURN', cell: ({ turn }) => turn, align: 'right' },
    { header: 'COMMAND', cell: ({ command }) => command, isElastic: true },
    { header: 'STATE', cell: ({ state, outcome }) => (outcome === null ? (state ?? '?') : `${state ?? '?'}: ${outcome}`) },
    { header: 'SINCE', cell: ({ since }) => (since === null ? '?' : ageOf(since, now, isFull)), align: 'right' },
    { header: 'ATTEMPT', cell: (turn) => turn.attempt ?? '?', align: 'right' },
    { header: 'EPOCH', cell: ({ epoch }) => epoch ?? '?', align: 'right' },
    { header: 'INTENT', cell: ({ intent }) => intent ?? '' },
    { header: 'FRAME', cell: ({ hasFrame }) => (hasFrame ? 'yes' : '') },
    ...(isFull ? [{ header: 'RESULT', cell: ({ result }: TurnShown) => (result === null ? '' : JSON.stringify(result)) }] : []),
  ]
}

function callColumns(isFull: boolean): readonly Column<OpenCallShown>[] {
  return [
    { header: 'CALL', cell: ({ sequence }) => sequence, align: 'right' },
    { header: 'KIND', cell: ({ kind }) => kind ?? '?' },
    { header: 'COMMAND', cell: ({ command }) => command ?? '', isElastic: true },
    { header: 'ASKED', cell: ({ to }) => to ?? '', isElastic: true },
    { header: 'AWAITED BY', cell: ({ callers }) => callers.join(', '), isElastic: true },
    ...(isFull ? [{ header: 'INPUT', cell: ({ input }: OpenCallShown) => (input === undefined ? '' : JSON.stringify(input)) }] : []),
  ]
}

function journalColumns(now: number, isFull: boolean): readonly Column<JournalEvent>[] {
  return [
    { header: 'REV', cell: ({ revision }) => revision, align: 'right' },
    { header: isFull ? 'AT' : 'AGE', cell: ({ at }) => ageOf(at, now, isFull), align: 'right' },
    { header: 'EVENT', cell: ({ type, event }) => (isFull ? JSON.stringify(event) : (type ?? '?')), isElastic: true },
  ]
}
