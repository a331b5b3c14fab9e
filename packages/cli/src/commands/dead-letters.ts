/** `dead-letters`: what could not be handled and nobody waits for. */
import type { DeadLetterRow } from '@bailiwick/store'
import { addressOf } from '../address.ts'
import type { Answer, Command, Options, World } from '../command.ts'
import { limited, looking } from '../directory.ts'
import { filterOf } from '../filter.ts'
import { ageOf } from '../measure.ts'
import { attempt, parsed, textField } from '../stored.ts'
import { fields, table } from '../table.ts'
import { visible } from '../text.ts'

/** The command. */
export const deadLetters: Command = {
  summary: 'list what could not be handled and nobody waits for, the latest first',
  positionals: ['DIR'],
  options: ['type', 'key', 'limit', 'full', 'json'],
  details: ['--full shows errors and inputs too. `system.deadLetters` of an open system replays and discards them.'],
  run(call) {
    const { options, world } = call
    const filter = filterOf('dead-letters', options)
    return looking(call, (reader): Answer => {
      const { rows, remark } = limited(reader.deadLetters(filter), options.limit)
      const letters = rows.map((row) => letterOf(row, options.full))
      return { json: letters, text: () => textOf(letters, options, world), remark }
    })
  },
}

interface Letter {
  readonly id: string
  readonly actor: string
  readonly type: string
  readonly key: string
  readonly shard: number
  readonly command: string
  readonly reason: string
  readonly code: string | null
  readonly revision: number | null
  readonly at: number
  readonly error?: unknown
  readonly input?: unknown
}

function letterOf(row: DeadLetterRow, isFull: boolean): Letter {
  const { shard, sequence, type, key, command, reason, revision, at } = row
  const error = attempt(() => JSON.parse(row.error) as unknown)
  return {
    id: `${shard}-${sequence}`,
    actor: addressOf(row),
    type,
    key,
    shard,
    command,
    reason,
    code: textField(error, 'code'),
    revision: revision ?? null,
    at,
    ...(isFull ? { error: error ?? row.error, input: parsed(row.input) } : {}),
  }
}

function textOf(letters: readonly Letter[], { full }: Options, world: World): string {
  if (letters.length === 0) return 'No dead letters.\n'
  const now = world.now()
  if (full) return letters.map((letter) => recordOf(letter)).join('\n')
  return table(
    letters,
    [
      { header: 'ID', cell: ({ id }) => id },
      { header: 'AGE', cell: ({ at }) => ageOf(at, now, false), align: 'right' },
      { header: 'ACTOR', cell: ({ actor }) => actor, isElastic: true },
      { header: 'COMMAND', cell: ({ command }) => command, isElastic: true },
      { header: 'REASON', cell: ({ reason }) => reason },
      { header: 'CODE', cell: ({ code }) => code ?? '?', isElastic: true },
    ],
    world.columns,
  )
}

function recordOf({ id, actor, command, reason, revision, at, error, input }: Letter): string {
  const pairs = [
    ['at', ageOf(at, at, true)],
    ['reason', reason],
    ['revision', revision ?? undefined],
    ['error', JSON.stringify(error)],
    ['input', JSON.stringify(input)],
  ] as const
  return `${visible(`${id}  ${actor}  ${command}`)}\n${fields(pairs)}`
}
