/** `system.quarantine`: actors that are held back, over all shards. */
import { addressOf, encodeKey, shardOf } from '../definition/key.ts'
import type { ActorKey } from '../definition/key.ts'
import { isActorDefinition } from '../definition/define-actor.ts'
import type { ActorDefinition } from '../definition/define-actor.ts'
import { InvalidInput } from '../errors.ts'
import { checkOptionNames } from '../definition/input.ts'
import { ToShard } from '../protocol/to-shard.ts'
import type { HoldFilter, HoldWish } from '../protocol/to-shard.ts'
import type { HeldView } from '../shard/fault.ts'
import type { ShardClient } from './shard-client.ts'

/** An actor that serves nothing. */
export interface HeldActor {
  /** Position of its shard. */
  readonly shard: number
  readonly type: string
  /** Its key, encoded: a compound one is written as JSON. */
  readonly key: string
  /** Its address: type and key. */
  readonly actor: string
  /** `quarantined`: what waits for it is kept until it is released. `stopped`: it was given up, and what comes is refused. */
  readonly mode: 'quarantined' | 'stopped'
  /** For people: what its last failure said, or what an operator gave as the reason. */
  readonly reason: string
  /** Its last failure; `undefined` if it did not fail itself. */
  readonly error: { readonly code: string; readonly message: string } | undefined
  /** The command or event that failed last; `undefined` if none did. */
  readonly command: string | undefined
  /** Revision of the actor, which its state has still. */
  readonly revision: number
  /** Since when, as wall time in milliseconds since 1970. */
  readonly at: number
  /** Wall times of the failures within its window, the oldest first. */
  readonly failures: readonly number[]
  /** How many commands and messages are kept for it. */
  readonly waiting: number
}

/** Which held actors are meant. Every field that is given must match. */
export interface HeldFilter {
  /** Type of the actor: its definition, … */
  readonly definition?: ActorDefinition
  /** … or the name of its type, for one that the system was not opened with. */
  readonly type?: string
  /** Key of the actor; needs its type. */
  readonly key?: ActorKey
  /** At most so many: of a list those held latest. Default 1,000. */
  readonly limit?: number
}

/** Why an actor is held back by hand. */
export interface HoldOptions {
  /** Said to everybody who asks it something. */
  readonly reason: string
}

const OPERATION = 'quarantine'
const FIELDS: ReadonlySet<string> = new Set(['definition', 'type', 'key', 'limit'])
const LIMIT_DEFAULT = 1_000
const TIMEOUT_MS = 30_000
const REASON_MAX = 1_000

/** The held actors of a system. */
export class Quarantine {
  readonly #clients: () => readonly ShardClient[]

  /** `clients` answers the shards, or throws `SystemClosed`. */
  constructor(clients: () => readonly ShardClient[]) {
    this.#clients = clients
  }

  /** Those that match, those held latest first. Rejects with `InvalidInput`. */
  async list(filter: HeldFilter = {}): Promise<readonly HeldActor[]> {
    const limit = limitOf(filter)
    const views = await this.#onEach(filter, (meant) => ({ kind: 'list', filter: meant, limit }))
    return views
      .flatMap(({ shard, answer }) => (answer as readonly HeldView[]).map((view) => heldOf(shard, view)))
      .toSorted((left, right) => right.at - left.at)
      .slice(0, limit)
  }

  /** Lets those that match go on, with nothing held against them; answers how many. `{}` stands for all. Rejects with `InvalidInput`. */
  async release(filter: HeldFilter): Promise<number> {
    let left = limitOf(filter)
    let released = 0
    // One shard after the other: the limit is one for all.
    for (const place of this.#places(filter)) {
      if (left === 0) break
      const limit = left
      const count = (await this.#call(place, { kind: 'release', filter: storedFilterOf(filter), limit })) as number
      released += count
      left -= count
    }
    return released
  }

  /**
   * Holds an actor back that need not have failed: it serves nothing and keeps what waits for it, until it is released. Answers
   * true if it is held from now on, false if it was held already: then the first hold stays, with its reason. Rejects with
   * `InvalidInput`.
   */
  async hold(definition: ActorDefinition, key: ActorKey, options: HoldOptions): Promise<boolean> {
    // In the order of the parameters: whoever gives a name instead of the definition is not to hear of what comes after it.
    if (!isActorDefinition(definition)) throw new InvalidInput(OPERATION, 'definition', 'must be made by defineActor')
    const meant = { type: definition.type, key: encodeKey(definition.type, key) }
    checkOptionNames(OPERATION, options, new Set(['reason']))
    const { reason } = options
    if (typeof reason !== 'string' || reason === '' || reason.length > REASON_MAX) {
      throw new InvalidInput(OPERATION, 'reason', `must be a text of at most ${REASON_MAX} characters`)
    }
    const [place] = this.#places({ definition, key })
    if (place === undefined) throw new Error('An actor has a shard.')
    return (await this.#call(place, { kind: 'hold', ...meant, reason })) as boolean
  }

  async #onEach(
    filter: HeldFilter,
    wish: (meant: HoldFilter) => HoldWish,
  ): Promise<readonly { readonly shard: number; readonly answer: unknown }[]> {
    const meant = wish(storedFilterOf(filter))
    return await Promise.all(this.#places(filter).map(async (place) => ({ shard: place.shard, answer: await this.#call(place, meant) })))
  }

  /** The shards on which a filter can find anything. */
  #places(filter: HeldFilter): readonly { readonly shard: number; readonly client: ShardClient }[] {
    const clients = this.#clients()
    const { key } = storedFilterOf(filter)
    const places = clients.map((client, shard) => ({ shard, client }))
    // A name alone does not tell under which other name its actors may be stored, and so where.
    if (filter.definition === undefined || key === undefined) return places
    const only = shardOf(filter.definition.storedAs, key, clients.length)
    return places.filter(({ shard }) => shard === only)
  }

  async #call({ shard, client }: { readonly shard: number; readonly client: ShardClient }, wish: HoldWish): Promise<unknown> {
    const subject = { address: `shard ${shard}`, command: `${OPERATION}.${wish.kind}` }
    return await client.call(subject, { timeoutMs: TIMEOUT_MS, signal: undefined }, (call) => [ToShard.holds, call, wish])
  }
}

/** A missing argument, or a misspelt field, must not be taken for a filter that matches everything. */
function storedFilterOf(filter: HeldFilter): HoldFilter {
  const given: unknown = filter
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new InvalidInput(OPERATION, '', 'must be a filter; {} stands for all')
  }
  checkOptionNames(OPERATION, filter, FIELDS)
  const { definition, key } = filter
  if (definition !== undefined && filter.type !== undefined && filter.type !== definition.type) {
    throw new InvalidInput(OPERATION, 'type', 'is not the type of the definition')
  }
  const type = definition?.type ?? filter.type
  if (type !== undefined && typeof type !== 'string') throw new InvalidInput(OPERATION, 'type', 'must be a string')
  if (key === undefined) return type === undefined ? {} : { type }
  if (type === undefined) throw new InvalidInput(OPERATION, 'key', 'needs definition or type')
  return { type, key: encodeKey(type, key) }
}

function limitOf(filter: HeldFilter): number {
  storedFilterOf(filter)
  const { limit = LIMIT_DEFAULT } = filter
  if (Number.isSafeInteger(limit) && limit >= 1) return limit
  throw new InvalidInput(OPERATION, 'limit', 'must be a whole number from 1')
}

function heldOf(shard: number, { error, command, ...view }: HeldView): HeldActor {
  return { ...view, shard, actor: addressOf(view.type, view.key), error: error ?? undefined, command: command ?? undefined }
}
