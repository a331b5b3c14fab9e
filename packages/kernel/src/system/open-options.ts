/** The options of `openSystem`, and their checks: whatever is wrong is found before anything is opened. */
import { isActorDefinition } from '../definition/define-actor.ts'
import type { ActorDefinition } from '../definition/define-actor.ts'
import { isEffectDefinition } from '../definition/define-effect.ts'
import type { EffectDefinition } from '../definition/define-effect.ts'
import { requireOptions } from '../definition/option-names.ts'
import { supervisionOf, threadSupervisionOf } from '../definition/supervision.ts'
import type { Supervision, SupervisionOptions, ThreadSupervision, ThreadSupervisionOptions } from '../definition/supervision.ts'
import { InvalidDefinition } from '../errors.ts'
import type { DirectoryOptions, EndSignal } from '../seams/seams.ts'
import { DEFAULT_LIMITS } from '../shard/limits.ts'
import type { ShardLimits } from '../shard/limits.ts'
import { checkLogger } from './logger.ts'
import type { Logger } from './logger.ts'

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
  /** What happens when an actor or a thread fails. */
  readonly supervision?: SystemSupervision
  /** Where lines for people go; `console` fits. Default: errors that belong to no caller become warnings of the process, and nothing else is said. */
  readonly logger?: Logger
  /** Ends the opening: everything is undone, and it rejects with `SystemClosed`. Of no meaning once the system is open. */
  readonly signal?: AbortSignal
  /**
   * Signals on which the system is closed: politely on the first one, at once on a second. When it is closed and nobody else in
   * the process listens for the signal, it is sent again, so that it ends the process as usual. Default: none.
   */
  readonly closeOn?: readonly EndSignal[]
  /** How long closing on a signal may take before it is forced, in milliseconds. Default 10,000. */
  readonly closeMs?: number
}

/** Supervision of a system. */
export interface SystemSupervision {
  /** Of actors whose definition says nothing. It has no `group`. */
  readonly actors?: SupervisionOptions
  /** Of the threads that serve shards. */
  readonly threads?: ThreadSupervisionOptions
}

/** An effect with any input: what it takes is checked where it is promised. */
// oxlint-disable-next-line typescript/no-explicit-any -- the input is contravariant, so only `any` takes every definition.
export type AnyEffectDefinition = EffectDefinition<any>

const OPTIONS: ReadonlySet<string> = new Set([
  'directory',
  'actors',
  'effects',
  'shards',
  'synchronous',
  'create',
  'limits',
  'supervision',
  'logger',
  'signal',
  'closeOn',
  'closeMs',
])
const SUPERVISION_OPTIONS: ReadonlySet<string> = new Set(['actors', 'threads'])
const END_SIGNALS: ReadonlySet<unknown> = new Set<EndSignal>(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGBREAK'])
const SHARDS_MAX = 256
/** With less a thread may run out of memory before it serves anything. */
const HEAP_MB_MIN = 64
const PENDING_CALLS_DEFAULT = 1_000_000
const CLOSE_MS_DEFAULT = 10_000

/** Options after their checks, with every default filled in. */
export interface CheckedOptions {
  readonly directory: DirectoryOptions
  readonly actors: readonly ActorDefinition[]
  readonly effects: readonly EffectDefinition[]
  readonly limits: ShardLimits
  readonly pendingCalls: number
  readonly supervision: Supervision
  readonly threadSupervision: ThreadSupervision
  readonly logger: Logger | undefined
  readonly signal: AbortSignal | undefined
  readonly closeOn: readonly EndSignal[]
  readonly closeMs: number
}

/** Checks the options of `openSystem`. Throws `InvalidDefinition`, naming the field. */
export function checkOptions(options: OpenSystemOptions): CheckedOptions {
  const given: unknown = options
  require(typeof given === 'object' && given !== null, 'options', 'must be an object')
  for (const field of Object.keys(options)) require(OPTIONS.has(field), field, 'is no option of openSystem')
  require(typeof options.directory === 'string' && options.directory !== '', 'directory', 'must be a path')
  require(Array.isArray(options.actors) && options.actors.length > 0, 'actors', 'must name at least one definition')
  const types = new Set<string>()
  const stored = new Set<string>()
  for (const [index, actor] of options.actors.entries()) {
    require(isActorDefinition(actor), `actors.${index}`, 'must be made by defineActor')
    require(!types.has(actor.type), `actors.${index}`, `has the type "${actor.type}", which another definition has already`)
    types.add(actor.type)
    require(!stored.has(actor.storedAs), `actors.${index}`, `is stored as "${actor.storedAs}", like another definition`)
    stored.add(actor.storedAs)
  }
  const { effects = [], limits = {}, supervision = {} } = options
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
  checkLogger('openSystem', options.logger)
  const { signal } = options
  require(signal === undefined || signal instanceof AbortSignal, 'signal', 'must be an AbortSignal')
  const { closeOn, closeMs } = options
  checkClosing(closeOn, closeMs)
  checkGroups(options.actors)
  return {
    directory: { directory: options.directory, shards, synchronous: options.synchronous ?? 'full', create: options.create ?? true },
    actors: options.actors,
    effects,
    limits: checkLimits(limits),
    pendingCalls: limits.pendingCalls ?? PENDING_CALLS_DEFAULT,
    ...checkSupervision(supervision),
    logger: options.logger,
    signal,
    closeOn: [...new Set(closeOn ?? [])],
    closeMs: closeMs ?? CLOSE_MS_DEFAULT,
  }
}

function checkClosing(closeOn: unknown, closeMs: unknown): void {
  if (closeOn !== undefined) {
    const isKnown = Array.isArray(closeOn) && closeOn.every((name) => END_SIGNALS.has(name))
    require(isKnown, 'closeOn', `may name ${[...END_SIGNALS].join(', ')}`)
    require(closeOn.length > 0, 'closeOn', 'names no signal: leave it out')
  }
  if (closeMs === undefined) return
  require(typeof closeMs === 'number' && closeMs >= 0, 'closeMs', 'must be a number of milliseconds from 0')
  require(closeOn !== undefined, 'closeMs', 'has no meaning without closeOn')
}

function checkSupervision(given: SystemSupervision): Pick<CheckedOptions, 'supervision' | 'threadSupervision'> {
  requireOptions('openSystem', 'supervision', given, SUPERVISION_OPTIONS)
  const { actors = {}, threads = {} } = given
  const supervision = supervisionOf('openSystem', 'supervision.actors', actors)
  require(supervision.group === undefined, 'supervision.actors.group', 'belongs to definitions: not all actors belong together')
  return { supervision, threadSupervision: threadSupervisionOf('openSystem', 'supervision.threads', threads) }
}

/** A group has one strategy: whichever of its actors fails, the same must follow. */
function checkGroups(actors: readonly ActorDefinition[]): void {
  const strategies = new Map<string, string>()
  for (const [index, { supervision, type }] of actors.entries()) {
    const group = supervision?.group
    if (group === undefined) continue
    const strategy = strategies.get(group.name) ?? group.strategy
    const detail = `of "${type}" gives the group "${group.name}" the strategy ${group.strategy}, and another definition ${strategy}`
    require(strategy === group.strategy, `actors.${index}.supervision.group`, detail)
    strategies.set(group.name, strategy)
  }
}

function checkLimits(given: SystemLimits): ShardLimits {
  const value: unknown = given
  require(typeof value === 'object' && value !== null && !Array.isArray(value), 'limits', 'must be an object')
  for (const [name, value] of Object.entries(given)) {
    require(Object.hasOwn(DEFAULT_LIMITS, name) || name === 'pendingCalls', `limits.${name}`, 'is no limit that a system has')
    require(typeof value === 'number' && value >= 1 && Number.isFinite(value), `limits.${name}`, 'must be a number from 1')
  }
  const { pendingCalls: _pendingCalls, ...limits } = given
  const { heapMb = HEAP_MB_MIN } = limits
  require(heapMb >= HEAP_MB_MIN, 'limits.heapMb', `must be a number from ${HEAP_MB_MIN}`)
  return { ...DEFAULT_LIMITS, ...limits }
}

function require(holds: boolean, field: string, detail: string): asserts holds {
  if (!holds) throw new InvalidDefinition('openSystem', field, detail)
}
