/** `timers`: what is set, the earliest first. */
import { decodeTimerName } from '@bailiwick/kernel'
import type { TimerRow } from '@bailiwick/store'
import { addressOf } from '../address.ts'
import type { Answer, Command } from '../command.ts'
import { limited, looking } from '../directory.ts'
import { filterOf } from '../filter.ts'
import { dueOf, lengthOf } from '../measure.ts'
import { parsed } from '../stored.ts'
import { table } from '../table.ts'
import type { Column } from '../table.ts'

/** The command. */
export const timers: Command = {
  summary: 'list the timers that are set, the earliest first',
  positionals: ['DIR'],
  options: ['type', 'key', 'limit', 'full', 'json'],
  details: [
    'Beside those of actors there are timers of kind `call` and `lease`: they end an open call or a lease. --full shows events too.',
  ],
  run(call) {
    const { options, world } = call
    const filter = filterOf('timers', options)
    return looking(call, (reader): Answer => {
      const { rows, remark } = limited(reader.timers(filter), options.limit)
      const found = rows.map((row) => ({
        actor: addressOf(row),
        type: row.type,
        key: row.key,
        shard: row.shard,
        ...timerOf(row, options.full),
      }))
      const text = (): string =>
        found.length === 0
          ? 'No timers.\n'
          : table(
              found,
              [{ header: 'ACTOR', cell: ({ actor }) => actor, isElastic: true }, ...timerColumns(world.now(), options.full)],
              options.full ? undefined : world.columns,
            )
      return { json: found, text, remark }
    })
  },
}

/** A timer without its actor. */
export interface Timer {
  readonly kind: 'timer' | 'call' | 'lease'
  readonly name: string
  readonly dueAt: number
  readonly everyMs: number | null
  readonly event?: unknown
}

/** A timer as it is shown; its event is left out unless everything is wanted. */
export function timerOf({ name, dueAt, everyMs, event }: TimerRow, isFull: boolean): Timer {
  return { ...decodeTimerName(name), dueAt, everyMs: everyMs === 0 ? null : everyMs, ...(isFull ? { event: parsed(event) } : {}) }
}

/** What a table shows of timers, beside their actor. */
export function timerColumns(now: number, isFull: boolean): readonly Column<Timer>[] {
  return [
    { header: 'KIND', cell: ({ kind }) => kind },
    { header: 'NAME', cell: ({ kind, name }) => (kind === 'call' ? `end of call ${name}` : name), isElastic: true },
    { header: 'DUE', cell: ({ dueAt }) => dueOf(dueAt, now, isFull), align: 'right' },
    { header: 'EVERY', cell: ({ everyMs }) => (everyMs === null ? '' : lengthOf(everyMs)), align: 'right' },
    ...(isFull ? [{ header: 'EVENT', cell: ({ event }: Timer) => JSON.stringify(event) }] : []),
  ]
}
