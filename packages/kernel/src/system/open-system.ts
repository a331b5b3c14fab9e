/**
 * `openSystem`: takes the directory, starts the shard threads, and answers the system once every shard has recovered.
 * If anything fails, everything is undone in reverse order and the directory is free again.
 */
import { isActorDefinition } from '../definition/define-actor.ts'
import type { ActorDefinition } from '../definition/define-actor.ts'
import { isEffectDefinition } from '../definition/define-effect.ts'
import type { EffectDefinition } from '../definition/define-effect.ts'
import { InvalidDefinition } from '../errors.ts'
import { nodeSeams } from '../seams/node-seams.ts'
import type { Seams } from '../seams/seams.ts'
import { DEFAULT_LIMITS } from '../shard/limits.ts'
import type { ShardLimits } from '../shard/limits.ts'
import { ShardClient } from './shard-client.ts'
import { System } from './system.ts'
import { ThreadSlot } from './threads.ts'

/** Bounds of a system. */
export interface SystemLimits extends Partial<ShardLimits> {
  /** Calls of this thread that may wait for an answer, over all shards; more get `MailboxFull`. Default 1,000,000. */
  readonly pendingCalls?: number
}

/** How to open a system. */
export interface OpenSystemOptions {
  /** Where the system lives. Created if it is missing, unless `create` is false; its parent must exist. */
  readonly directory: string
  /** Every definition whose actors are used. */
  readonly actors: readonly ActorDefinition[]
  /** Every effect that these actors promise. */
  readonly effects?: readonly AnyEffectDefinition[]
  /**
   * Number of shards when the directory is created; recorded there for good. Later it only says how many threads serve
   * them, at most one per shard. From 1 to 256. Default 1.
   */
  readonly shards?: number
  /** `full`: an acknowledged command survives the death of the machine. `normal`: that of the process. Default `full`. */
  readonly synchronous?: 'full' | 'normal'
  /** Whether a missing directory is created. Default true. */
  readonly create?: boolean
  readonly limits?: SystemLimits
}

/** An effect with any input: what it takes is checked where it is promised. */
// oxlint-disable-next-line typescript/no-explicit-any -- the input is contravariant, so only `any` takes every definition.
export type AnyEffectDefinition = EffectDefinition<any>

const OPTIONS: ReadonlySet<string> = new Set(['directory', 'actors', 'effects', 'shards', 'synchronous', 'create', 'limits'])
const SHARDS_MAX = 256
const PENDING_CALLS_DEFAULT = 1_000_000

/**
 * Opens a system. Rejects with `InvalidDefinition` for bad options; `DirectoryInUse`, `DirectoryMissing`,
 * `DirectoryNotWritable`, `DirectoryNotOurs`, `SchemaTooNew`, `StoreDamaged` or `StoreUnavailable` for the directory;
 * `DefinitionNotLoaded` if a shard thread cannot load an actor.
 */
export async function openSystem(options: OpenSystemOptions): Promise<System> {
  return await openSystemOn(nodeSeams, options)
}

/** Opens a system on the given seams. For test kits; see `openSystem`. */
export async function openSystemOn(seams: Seams, options: OpenSystemOptions): Promise<System> {
  const { actors, effects, limits, shards } = check(options)
  const directory = seams.stores.openDirectory({
    directory: options.directory,
    shards,
    synchronous: options.synchronous ?? 'full',
    create: options.create ?? true,
  })
  const threads: ThreadSlot[] = []
  try {
    const locations = Array.from({ length: directory.shardCount }, (_none, index) => directory.shard(index))
    const budget = { max: options.limits?.pendingCalls ?? PENDING_CALLS_DEFAULT, used: 0 }
    const clients: ShardClient[] = locations.map(
      (_location, index) =>
        new ShardClient({
          clock: seams.clock,
          scheduler: seams.scheduler,
          budget,
          relay: (to, text) => clients[to]?.forward(index, text),
          attached: () => {
            for (const [peer, client] of clients.entries()) if (peer !== index) client.peerStarted(index)
          },
        }),
    )
    for (const indexes of shareOut(locations.length, Math.min(shards, locations.length))) {
      const plan = { shards: pick(locations, indexes), definitions: actors, effects, shardCount: locations.length, limits }
      threads.push(new ThreadSlot(seams, plan, pick(clients, indexes)))
    }
    await Promise.all(threads.map((thread) => thread.started()))
    return new System({ clock: seams.clock, directory, definitions: actors, clients, threads })
  } catch (error) {
    await Promise.all(threads.map((thread) => thread.terminate()))
    directory.release()
    throw error
  }
}

/** Runs of neighbouring shards, one per thread, so that the order of all gauges is that of the shards. */
function shareOut(shardCount: number, threadCount: number): readonly (readonly number[])[] {
  return Array.from({ length: threadCount }, (_none, thread) => {
    const first = Math.floor((thread * shardCount) / threadCount)
    const end = Math.floor(((thread + 1) * shardCount) / threadCount)
    return Array.from({ length: end - first }, (_nothing, offset) => first + offset)
  })
}

function pick<T>(items: readonly T[], indexes: readonly number[]): readonly T[] {
  return items.filter((_item, index) => indexes.includes(index))
}

function check(options: OpenSystemOptions): {
  readonly actors: readonly ActorDefinition[]
  readonly effects: readonly EffectDefinition[]
  readonly limits: ShardLimits
  readonly shards: number
} {
  const given: unknown = options
  require(typeof given === 'object' && given !== null, 'options', 'must be an object')
  for (const field of Object.keys(options)) require(OPTIONS.has(field), field, 'is no option of openSystem')
  require(typeof options.directory === 'string' && options.directory !== '', 'directory', 'must be a path')
  require(Array.isArray(options.actors) && options.actors.length > 0, 'actors', 'must name at least one definition')
  const types = new Set<string>()
  for (const [index, actor] of options.actors.entries()) {
    require(isActorDefinition(actor), `actors.${index}`, 'must be made by defineActor')
    require(!types.has(actor.type), `actors.${index}`, `has the type "${actor.type}", which another definition has already`)
    types.add(actor.type)
  }
  const effects = options.effects ?? []
  require(Array.isArray(effects), 'effects', 'must be a list of definitions')
  const names = new Set<string>()
  for (const [index, effect] of effects.entries()) {
    require(isEffectDefinition(effect), `effects.${index}`, 'must be made by defineEffect')
    require(!names.has(effect.name), `effects.${index}`, `has the name "${effect.name}", which another definition has already`)
    names.add(effect.name)
  }
  const shards = options.shards ?? 1
  require(Number.isSafeInteger(shards) && shards >= 1 && shards <= SHARDS_MAX, 'shards', `must be a whole number from 1 to ${SHARDS_MAX}`)
  require(typeof (options.create ?? true) === 'boolean', 'create', 'must be true or false')
  require(['full', 'normal'].includes(options.synchronous ?? 'full'), 'synchronous', 'must be "full" or "normal"')
  return { actors: options.actors, effects, limits: checkLimits(options.limits ?? {}), shards }
}

function checkLimits(given: SystemLimits): ShardLimits {
  for (const [name, value] of Object.entries(given)) {
    require(Object.hasOwn(DEFAULT_LIMITS, name) || name === 'pendingCalls', `limits.${name}`, 'is no limit that a system has')
    require(typeof value === 'number' && value >= 1 && Number.isFinite(value), `limits.${name}`, 'must be a number from 1')
  }
  const { pendingCalls: _pendingCalls, ...limits } = given
  return { ...DEFAULT_LIMITS, ...limits }
}

function require(holds: boolean, field: string, detail: string): void {
  if (!holds) throw new InvalidDefinition('openSystem', field, detail)
}
