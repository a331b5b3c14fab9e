/** `outbox`: what is promised and not delivered: effects, and messages for other shards. */
import { decodeParcel } from '@bailiwick/kernel'
import type { PromiseRow } from '@bailiwick/store'
import { addressOf } from '../address.ts'
import type { Answer, Command } from '../command.ts'
import { limited, looking } from '../directory.ts'
import { filterOf } from '../filter.ts'
import { dueOf } from '../measure.ts'
import { attempt, parsed } from '../stored.ts'
import { table } from '../table.ts'

/** The command. */
export const outbox: Command = {
  summary: 'list what is promised and not delivered: effects, then messages for other shards',
  positionals: ['DIR'],
  options: ['kind', 'type', 'key', 'limit', 'full', 'json'],
  details: ['--type and --key say who promised an effect; they let no message through. --full shows inputs too.'],
  run(call) {
    const { options, world } = call
    const { kind } = options
    const filter = { ...filterOf('outbox', options), ...(kind === undefined ? {} : { kind }) }
    return looking(call, (reader): Answer => {
      const { rows, remark } = limited(reader.promises(filter), options.limit)
      const promised = rows.map((row) => promiseOf(row, options.full))
      const now = world.now()
      const text = (): string =>
        promised.length === 0
          ? 'Nothing is promised and not delivered.\n'
          : table(
              promised,
              [
                { header: 'KIND', cell: (row) => row.kind },
                { header: 'NAME', cell: (row) => row.name ?? '?', isElastic: true },
                { header: 'FROM', cell: (row) => row.from ?? '?', isElastic: true },
                { header: 'TO', cell: (row) => row.to ?? (row.kind === 'effect' ? '' : '?'), isElastic: true },
                { header: 'ATTEMPTS', cell: ({ attempts }) => attempts ?? '', align: 'right' },
                { header: 'DUE', cell: (row) => dueText(row, now, options.full), align: 'right' },
                ...(options.full ? [{ header: 'INPUT', cell: ({ input }: Promised) => JSON.stringify(input) }] : []),
              ],
              options.full ? undefined : world.columns,
            )
      return { json: promised, text, remark }
    })
  },
}

interface Promised {
  readonly kind: 'effect' | 'message'
  readonly shard: number
  readonly sequence: number
  /** Name of the effect, or of the command. */
  readonly name: string | null
  readonly from: string | null
  readonly to: string | null
  readonly toShard: number | null
  readonly attempts: number | null
  readonly dueAt: number | null
  readonly input?: unknown
}

function promiseOf(row: PromiseRow, isFull: boolean): Promised {
  const { kind, shard, sequence, content } = row
  if (kind === 'effect') {
    const { name, actor, attempts, dueAt } = row
    const from = actor === undefined ? null : addressOf(actor)
    const input = isFull ? { input: parsed(content) } : {}
    return { kind, shard, sequence, name, from, to: null, toShard: null, attempts, dueAt: dueAt ?? null, ...input }
  }
  const parcel = attempt(() => decodeParcel(content))
  return {
    kind,
    shard,
    sequence,
    name: parcel?.command ?? null,
    from: parcel?.detail?.from ?? null,
    to: parcel === undefined ? null : addressOf(parcel),
    toShard: Number(row.name),
    attempts: null,
    dueAt: parcel?.dueAt ?? null,
    ...(isFull ? { input: parcel === undefined ? content : parcel.input } : {}),
  }
}

function dueText({ kind, dueAt }: Promised, now: number, isFull: boolean): string {
  if (dueAt !== null) return dueOf(dueAt, now, isFull)
  return kind === 'effect' ? 'being tried' : ''
}
