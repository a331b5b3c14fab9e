/** `ps`: the actors of a directory, what waits for each, and whether it is held back. */
import type { ActorRow, DirectoryReader, FaultRow, RowFilter, ShardSummary } from '@bailiwick/store'
import { addressOf } from '../address.ts'
import type { Answer, Command } from '../command.ts'
import { limited, looking, ownerLine } from '../directory.ts'
import { faultOf } from '../fault.ts'
import { filterOf } from '../filter.ts'
import { countOf, sizeOf } from '../measure.ts'
import { table } from '../table.ts'
import { visible } from '../text.ts'

/** The command. */
export const ps: Command = {
  summary: 'list actors, what waits for them, and who is held back',
  positionals: ['DIR'],
  options: ['type', 'key', 'limit', 'full', 'json'],
  details: [
    'REV is the revision of the last snapshot; of a journaled actor more events may have followed.',
    'An actor without a revision was never stored: it is listed because it is held back.',
  ],
  run(call) {
    const { options, world } = call
    const filter = filterOf('ps', options)
    return looking(call, (reader): Answer => {
      const stored = reader.actors(filter).map(processOf)
      const { rows, remark } = limited([...stored, ...unstored(reader, filter, stored)].sort(byName), options.limit)
      const head = options.json ? '' : headline(reader, world.now())
      return { json: rows, text: () => `${head}${listText(rows, options.full ? undefined : world.columns)}`, remark }
    })
  },
}

interface Process {
  readonly actor: string
  readonly type: string
  readonly key: string
  readonly shard: number
  readonly isStored: boolean
  readonly revision: number | null
  readonly version: number | null
  readonly bytes: number
  readonly waiting: number
  readonly timers: number
  readonly turns: number
  readonly held: 'quarantined' | 'stopped' | null
  readonly failures: number
}

function processOf(row: ActorRow): Process {
  const { type, key, shard, revision, version, bytes, waiting, timers, turns } = row
  const fault = faultOf(row, row.fault)
  return {
    actor: addressOf(row),
    type,
    key,
    shard,
    isStored: true,
    revision,
    version,
    bytes,
    waiting,
    timers,
    turns,
    held: fault?.held?.mode ?? null,
    failures: fault?.failures.length ?? 0,
  }
}

/** Actors that are known by their failures only: one that fails with its first command is never stored. */
function unstored(reader: DirectoryReader, filter: RowFilter, stored: readonly Process[]): readonly Process[] {
  const known = new Set(stored.map(({ actor }) => actor))
  return reader
    .faults(filter)
    .filter((row) => !known.has(addressOf(row)) && reader.actors({ type: row.type, key: row.key, limit: 1 }).length === 0)
    .map((row) => heldProcess(reader, row))
}

function heldProcess(reader: DirectoryReader, row: FaultRow): Process {
  const { type, key, shard, detail } = row
  const fault = faultOf(row, detail)
  return {
    actor: addressOf(row),
    type,
    key,
    shard,
    isStored: false,
    revision: null,
    version: null,
    bytes: 0,
    waiting: reader.inbox({ type, key, limit: Number.MAX_SAFE_INTEGER }).length,
    timers: 0,
    turns: 0,
    held: fault?.held?.mode ?? null,
    failures: fault?.failures.length ?? 0,
  }
}

function byName(left: Process, right: Process): number {
  return Buffer.compare(Buffer.from(left.type), Buffer.from(right.type)) || Buffer.compare(Buffer.from(left.key), Buffer.from(right.key))
}

function headline(reader: DirectoryReader, now: number): string {
  const shards = reader.shards()
  const sum = (count: (shard: ShardSummary) => number): number => shards.reduce((total, shard) => total + count(shard), 0)
  const actors = sum((shard) => shard.actors)
  const waiting = sum((shard) => shard.inbox)
  const timers = sum((shard) => shard.timers)
  const turns = sum((shard) => shard.turns)
  const letters = sum((shard) => shard.deadLetters)
  const counts = [
    countOf(shards.length, 'shard'),
    countOf(actors, 'actor'),
    `${waiting} waiting`,
    countOf(timers, 'timer'),
    countOf(turns, 'turn'),
    countOf(letters, 'dead letter'),
  ]
  return `${visible(reader.directory)}: ${ownerLine(reader.owner(), now)}\n${counts.join(', ')}\n`
}

function listText(rows: readonly Process[], width: number | undefined): string {
  if (rows.length === 0) return 'No such actors.\n'
  const isAnyHeld = rows.some(({ held, failures }) => held !== null || failures > 0)
  return `\n${table(
    rows,
    [
      { header: 'ACTOR', cell: ({ actor }) => actor, isElastic: true },
      { header: 'REV', cell: ({ revision }) => revision ?? '', align: 'right' },
      { header: 'VER', cell: ({ version }) => version ?? '', align: 'right' },
      { header: 'SIZE', cell: ({ bytes }) => sizeOf(bytes), align: 'right' },
      { header: 'WAITING', cell: ({ waiting }) => waiting, align: 'right' },
      { header: 'TIMERS', cell: ({ timers }) => timers, align: 'right' },
      { header: 'TURNS', cell: ({ turns }) => turns, align: 'right' },
      { header: 'SHARD', cell: ({ shard }) => shard, align: 'right' },
      ...(isAnyHeld ? [{ header: 'HELD', cell: heldText }] : []),
    ],
    width,
  )}`
}

function heldText({ held, failures }: Process): string {
  return held ?? (failures === 0 ? '' : countOf(failures, 'failure'))
}
