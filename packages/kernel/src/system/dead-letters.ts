/** `system.deadLetters`: what could not be handled, over all shards. */
import type { DeadLetterFilter as StoredFilter } from '@bailiwick/store'
import { addressOf, encodeKey } from '../definition/key.ts'
import type { ActorKey } from '../definition/key.ts'
import { InvalidInput } from '../errors.ts'
import { ToShard } from '../protocol/to-shard.ts'
import type { LettersMessage } from '../protocol/to-shard.ts'
import type { LetterView } from '../shard/letters.ts'
import type { ShardClient } from './shard-client.ts'

/** A message that could not be handled and that nobody waits for. */
export interface DeadLetter {
  /** Unique in the system. */
  readonly id: string
  /** Address of the actor that it was for, or that wanted the effect. */
  readonly actor: string
  /** `command` for a message to an actor, `effect` for an effect that was given up. */
  readonly kind: 'command' | 'effect'
  /** Name of the command, or of the effect. */
  readonly command: string
  /** The outcome: `rejected`, `failed`, `full` or `timed-out`. */
  readonly reason: string
  /** The last error. */
  readonly error: { readonly code: string; readonly message: string }
  readonly input: unknown
  /** Address of the actor that sent it; `undefined` if it came from outside. */
  readonly source: string | undefined
  /** Revision of the actor whose state could not take it; undefined where no actor was asked. */
  readonly revision: number | undefined
  /** Wall time in milliseconds since 1970. */
  readonly at: number
}

/** Which dead letters are meant. Every field that is given must match. */
export interface DeadLetterFilter {
  /** Type of the actor. */
  readonly type?: string
  /** Key of the actor; needs `type`. */
  readonly key?: ActorKey
  /** Name of the command or effect. */
  readonly command?: string
  /** The outcome, for instance `full`. */
  readonly reason?: string
  /** At most so many, the latest first. Default 1,000. */
  readonly limit?: number
}

/** One id, several, or all that match. */
export type DeadLetterChoice = string | readonly string[] | DeadLetterFilter

const LIMIT_DEFAULT = 1_000
const TIMEOUT_MS = 30_000
const ID = /^(\d{1,3})-(\d{1,15})$/

type Operation = LettersMessage[0]

/** The dead letters of a system. */
export class DeadLetters {
  readonly #clients: () => readonly ShardClient[]

  /** `clients` answers the shards, or throws `SystemClosed`. */
  constructor(clients: () => readonly ShardClient[]) {
    this.#clients = clients
  }

  /** Those that match, the latest first. Shards that were given up are left out, unless all are: `system.health()` names them. */
  async list(filter: DeadLetterFilter = {}): Promise<readonly DeadLetter[]> {
    requireFilter(filter)
    const limit = limitOf(filter)
    const lists = (await this.#onAll(ToShard.listLetters, filterOf(filter), limit)) as readonly (readonly LetterView[])[]
    return lists
      .flat()
      .toSorted((left, right) => right.at - left.at || right.sequence - left.sequence)
      .slice(0, limit)
      .map(letterOf)
  }

  /** Sends messages again, the oldest first, and takes their letters out; one that fails again becomes a new letter. Answers how many. */
  async replay(choice: DeadLetterChoice): Promise<number> {
    return await this.#act(ToShard.replayLetters, choice)
  }

  /** Takes letters out for good. Answers how many. */
  async discard(choice: DeadLetterChoice): Promise<number> {
    return await this.#act(ToShard.discardLetters, choice)
  }

  async #act(operation: Operation, choice: DeadLetterChoice): Promise<number> {
    if (typeof choice === 'string' || Array.isArray(choice)) {
      return await this.#actOn(operation, (typeof choice === 'string' ? [choice] : choice) as readonly string[])
    }
    // A filter may have a limit, which is one for all shards; so the letters are found first.
    requireFilter(choice)
    const found = await this.list(choice)
    return await this.#actOn(
      operation,
      found.map(({ id }) => id),
    )
  }

  async #actOn(operation: Operation, ids: readonly string[]): Promise<number> {
    const clients = this.#clients()
    // Every id is checked before the first is acted on. The oldest goes first.
    const letters = [...new Set(ids)].map((id) => placeOf(clients, id)).toSorted((left, right) => left.sequence - right.sequence)
    const counts = await Promise.all(letters.map(({ client, sequence }) => this.#call(client, operation, { sequence }, 1)))
    return sum(counts as readonly number[])
  }

  async #onAll(operation: Operation, filter: StoredFilter, limit: number): Promise<readonly unknown[]> {
    return await Promise.all(reachable(this.#clients()).map((client) => this.#call(client, operation, filter, limit)))
  }

  #call(client: ShardClient, operation: Operation, filter: StoredFilter, limit: number): Promise<unknown> {
    return client.call({ address: 'deadLetters', command: 'deadLetters' }, { timeoutMs: TIMEOUT_MS, signal: undefined }, (call) => [
      operation,
      call,
      filter,
      limit,
    ])
  }
}

function placeOf(clients: readonly ShardClient[], id: unknown): { readonly client: ShardClient; readonly sequence: number } {
  const [, shard, sequence] = typeof id === 'string' ? (ID.exec(id) ?? []) : []
  const client = shard === undefined ? undefined : clients[Number(shard)]
  if (client === undefined) throw new InvalidInput('deadLetters', 'id', `"${String(id)}" is no id of a dead letter of this system`)
  return { client, sequence: Number(sequence) }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}

/** A missing argument, or one of another kind, must not be taken for a filter that matches everything. */
function requireFilter(filter: unknown): asserts filter is DeadLetterFilter {
  const isPlain = typeof filter === 'object' && filter !== null && !Array.isArray(filter)
  if (!isPlain) throw new InvalidInput('deadLetters', '', 'must be an id, a list of ids, or a filter; {} stands for all')
}

function limitOf({ limit = LIMIT_DEFAULT }: DeadLetterFilter): number {
  if (Number.isSafeInteger(limit) && limit >= 1) return limit
  throw new InvalidInput('deadLetters', 'limit', 'must be a whole number from 1')
}

const FIELDS: ReadonlySet<string> = new Set(['type', 'key', 'command', 'reason', 'limit'])

function filterOf(filter: DeadLetterFilter): StoredFilter {
  // A misspelt field would match everything.
  for (const field of Object.keys(filter)) if (!FIELDS.has(field)) throw new InvalidInput('deadLetters', field, 'is no field of a filter')
  const { type, key, command, reason } = filter
  if (key !== undefined && type === undefined) throw new InvalidInput('deadLetters', 'key', 'needs type')
  for (const [field, value] of Object.entries({ type, command, reason })) {
    if (value !== undefined && typeof value !== 'string') throw new InvalidInput('deadLetters', field, 'must be a string')
  }
  return {
    ...(type === undefined ? {} : { type }),
    ...(key === undefined || type === undefined ? {} : { key: encodeKey(type, key) }),
    ...(command === undefined ? {} : { command }),
    ...(reason === undefined ? {} : { reason }),
  }
}

function letterOf({ shard, sequence, type, key, command, reason, error, input, from, isEffect, revision, at }: LetterView): DeadLetter {
  const { code, message } = error as { readonly code: string; readonly message: string } // Written by the shard from an error.
  return {
    id: `${shard}-${sequence}`,
    actor: addressOf(type, key),
    kind: isEffect ? 'effect' : 'command',
    command,
    reason,
    error: { code, message },
    input,
    source: from ?? undefined,
    revision: revision ?? undefined,
    at,
  }
}

/** The shards that can be asked. Those that were given up are left out, as long as there are others: `health()` names them. */
function reachable(clients: readonly ShardClient[]): readonly ShardClient[] {
  const left = clients.filter((client) => !client.isAbandoned)
  return left.length === 0 ? clients : left
}
