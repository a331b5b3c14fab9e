/** `stats`: how much there is, in all and by shard. */
import type { OwnerView, ShardSummary } from '@bailiwick/store'
import type { Answer, Command } from '../command.ts'
import { looking, ownerLine } from '../directory.ts'
import { ageOf, countOf, dueOf, sizeOf } from '../measure.ts'
import { fields, table } from '../table.ts'
import { visible } from '../text.ts'

/** The command. */
export const stats: Command = {
  summary: 'count what is stored, in all and by shard',
  positionals: ['DIR'],
  options: ['full', 'json'],
  details: [],
  run(call) {
    const { options, world } = call
    return looking(call, (reader): Answer => {
      const owner = reader.owner()
      const shards = reader.shards().map(shardOf)
      const total = totalOf(shards)
      const now = world.now()
      const { directory } = reader
      return {
        json: { directory, owner: ownerAsJson(owner), total, shards },
        text: () =>
          [
            `${visible(directory)}: ${ownerLine(owner, now)}\n`,
            totalText(total, now, options.full),
            '\n',
            shardsText(shards, now, options.full, options.full ? undefined : world.columns),
          ].join(''),
      }
    })
  },
}

/** An owner with every field. */
function ownerAsJson({ epoch, pid, since, isOwned }: OwnerView): object {
  return { epoch, pid, since, isOwned: isOwned ?? null }
}

interface Counts {
  readonly bytes: number
  readonly walBytes: number
  readonly freeBytes: number
  readonly committedAt: number
  readonly actors: number
  readonly waiting: number
  readonly oldestWaitingAt: number | null
  readonly timers: number
  readonly nextTimerAt: number | null
  readonly outbox: number
  readonly effects: number
  readonly openCalls: number
  readonly turns: number
  readonly deadLetters: number
  readonly lateResults: number
  readonly idempotencyRecords: number
  readonly faults: number
}

interface Shard extends Counts {
  readonly shard: number
  readonly file: string
  readonly epoch: number
}

function shardOf({ index, inbox, oldestInboxAt, nextTimerAt, ...rest }: ShardSummary): Shard {
  return { shard: index, ...rest, waiting: inbox, oldestWaitingAt: oldestInboxAt ?? null, nextTimerAt: nextTimerAt ?? null }
}

function totalOf(shards: readonly Shard[]): Counts {
  const sum = (count: (shard: Shard) => number): number => shards.reduce((total, shard) => total + count(shard), 0)
  return {
    bytes: sum(({ bytes }) => bytes),
    walBytes: sum(({ walBytes }) => walBytes),
    freeBytes: sum(({ freeBytes }) => freeBytes),
    committedAt: Math.max(0, ...shards.map(({ committedAt }) => committedAt)),
    actors: sum(({ actors }) => actors),
    waiting: sum(({ waiting }) => waiting),
    oldestWaitingAt: earliest(shards.map(({ oldestWaitingAt }) => oldestWaitingAt)),
    timers: sum((shard) => shard.timers),
    nextTimerAt: earliest(shards.map(({ nextTimerAt }) => nextTimerAt)),
    outbox: sum((shard) => shard.outbox),
    effects: sum(({ effects }) => effects),
    openCalls: sum(({ openCalls }) => openCalls),
    turns: sum(({ turns }) => turns),
    deadLetters: sum((shard) => shard.deadLetters),
    lateResults: sum(({ lateResults }) => lateResults),
    idempotencyRecords: sum(({ idempotencyRecords }) => idempotencyRecords),
    faults: sum(({ faults }) => faults),
  }
}

function earliest(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null)
  return known.length === 0 ? null : Math.min(...known)
}

function totalText(total: Counts, now: number, isFull: boolean): string {
  const { oldestWaitingAt, nextTimerAt, committedAt } = total
  const oldest = oldestWaitingAt === null ? '' : `, the oldest ${isFull ? 'since ' : 'for '}${ageOf(oldestWaitingAt, now, isFull)}`
  const next = nextTimerAt === null ? '' : `, the next ${dueOf(nextTimerAt, now, isFull)}`
  return fields([
    ['last commit', committedAt === 0 ? 'never' : `${ageOf(committedAt, now, isFull)}${isFull ? '' : ' ago'}`],
    ['size', `${sizeOf(total.bytes)}, of it free ${sizeOf(total.freeBytes)}; write-ahead logs ${sizeOf(total.walBytes)}`],
    ['actors', total.actors],
    ['waiting', `${total.waiting}${oldest}`],
    ['timers', `${total.timers}${next}`],
    ['outbox', `${countOf(total.effects, 'effect')}, ${countOf(total.outbox, 'message')}`],
    ['open calls', total.openCalls],
    ['turns', total.turns],
    ['dead letters', total.deadLetters],
    ['late results', total.lateResults],
    ['idempotency', total.idempotencyRecords],
    ['faults', total.faults],
  ])
}

function shardsText(shards: readonly Shard[], now: number, isFull: boolean, width: number | undefined): string {
  return table(
    shards,
    [
      { header: 'SHARD', cell: ({ shard }) => shard, align: 'right' },
      { header: 'EPOCH', cell: ({ epoch }) => epoch, align: 'right' },
      { header: 'COMMIT', cell: ({ committedAt }) => (committedAt === 0 ? 'never' : ageOf(committedAt, now, isFull)), align: 'right' },
      { header: 'SIZE', cell: ({ bytes }) => sizeOf(bytes), align: 'right' },
      { header: 'WAL', cell: ({ walBytes }) => sizeOf(walBytes), align: 'right' },
      { header: 'ACTORS', cell: ({ actors }) => actors, align: 'right' },
      { header: 'WAITING', cell: ({ waiting }) => waiting, align: 'right' },
      { header: 'TIMERS', cell: (shard) => shard.timers, align: 'right' },
      { header: 'OUTBOX', cell: (shard) => shard.outbox + shard.effects, align: 'right' },
      { header: 'LETTERS', cell: (shard) => shard.deadLetters, align: 'right' },
    ],
    width,
  )
}
