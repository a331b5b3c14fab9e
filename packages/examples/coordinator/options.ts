/** The command line of the demo. */

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

/** What the demo was asked for. */
export interface Options {
  readonly data: string
  /** How many rounds there are to be in the end, those of earlier runs included. */
  readonly rounds: number
  /** Threads, each with a file of its own; undefined: as the directory has it, or one. */
  readonly shards: number | undefined
  readonly json: boolean
  /** Without the scene of the provider session. */
  readonly replayOnly: boolean
  readonly help: boolean
}

/** Options that cannot be understood; the message is for the person at the keyboard. */
export class UsageError extends Error {}

const repositoryRoot = resolve(import.meta.dirname, '../../..')

export const defaults = { data: resolve(repositoryRoot, '.data/coordinator'), rounds: 2500 }

export const help = `Replays GitHub's example webhooks, many times over, into durable actors. Then plays a scene of a
provider session, which review comments and failed checks take from a worker and give back.

  --data DIR     where the actors live           (${defaults.data})
  --rounds N     rounds there are to be, in all  (${defaults.rounds}; a round is every example once)
  --shards N     threads, fixed when the directory is made (1)
  --replay-only  without the scene of the provider session
  --json         the summary as JSON on standard output, progress on standard error
  --help         this text

It goes on from what is on disk. Stop it with Ctrl-C or kill -9, start it again, and the totals come out the same.
`

/** Reads the command line. Throws `UsageError`. */
export function parseOptions(args: readonly string[]): Options {
  const values = parse(args)
  return {
    data: resolve(values.data ?? defaults.data),
    rounds: wholeNumber('--rounds', values.rounds) ?? defaults.rounds,
    shards: wholeNumber('--shards', values.shards),
    json: values.json ?? false,
    replayOnly: values['replay-only'] ?? false,
    help: values.help ?? false,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        data: { type: 'string' },
        rounds: { type: 'string' },
        shards: { type: 'string' },
        json: { type: 'boolean' },
        'replay-only': { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values
  } catch (error) {
    // Only the first sentence of Node.js: the rest explains more than was asked.
    throw new UsageError(error instanceof Error ? error.message.replace(/\.?( To specify|\n)[^]*$/, '') : String(error))
  }
}

function wholeNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new UsageError(`${option} must be a whole number from 1, not '${text}'`)
  return value
}
