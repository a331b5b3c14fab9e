/**
 * `defineAdmission`: the rules of an admission, checked as a whole, and the actors that keep them.
 *
 * The module that calls it exports the actors too, so that shard threads find them:
 * `export const [queue, bell, directory, meter] = admission.actors`.
 */
import { InvalidDefinition } from '@bailiwick/kernel'
import { defineBell } from './bell.actor.ts'
import type { BellDefinition } from './bell.actor.ts'
import { defineDirectory } from './directory.actor.ts'
import type { DirectoryDefinition } from './directory.actor.ts'
import { defineMeter } from './meter.actor.ts'
import type { MeterDefinition } from './meter.actor.ts'
import { definePolicies } from './policies.ts'
import type { Policies } from './policies.ts'
import { defineQueue } from './queue.actor.ts'
import type { QueueDefinition } from './queue.actor.ts'

/** What an admission is told. */
export interface AdmissionOptions {
  /** Name of the admission: part of the types of its actors, so it must stay the same for ever. */
  readonly type: string
  /** URL of the module that exports the actors: `import.meta.url`. */
  readonly module: string
  /** How many executions of an action and group may work at a time, where no policy says otherwise. 0 lets everybody wait. */
  readonly limit: number
  /** Paths of parameters, such as `user.id`: executions whose values there are equal share a queue. Default: none, one group for each action. */
  readonly groupBy?: readonly string[]
  /** How many may wait in one queue. Default 10,000. */
  readonly maxLength?: number
  /** How long one may wait, in milliseconds. Default 3,600,000: one hour. A request may ask for less. */
  readonly waitMs?: number
  /** How long a slot is leased, in milliseconds; `run` renews it every third of that. Default 60,000. From 30 to 2,592,000,000: thirty days. */
  readonly ttlMs?: number
  /** Default: none. */
  readonly policies?: Policies
}

/** The rules of an admission with every default filled in. */
export type AdmissionRules = Required<Omit<AdmissionOptions, 'type' | 'module'>>

/** An admission: its rules and its actors. */
export interface AdmissionDefinition {
  readonly type: string
  readonly rules: AdmissionRules
  readonly queue: QueueDefinition
  readonly bell: BellDefinition
  readonly directory: DirectoryDefinition
  readonly meter: MeterDefinition
  /** All of them, for `openSystem` and for the exports of the module. */
  readonly actors: readonly [queue: QueueDefinition, bell: BellDefinition, directory: DirectoryDefinition, meter: MeterDefinition]
}

const OPTIONS: ReadonlySet<string> = new Set(['type', 'module', 'limit', 'groupBy', 'maxLength', 'waitMs', 'ttlMs', 'policies'])
const LENGTH_MAX = 100_000
const TTL_MIN_MS = 30
/** Thirty days, a third of which is what a timer can wait. */
const TTL_MAX_MS = 30 * 86_400_000
/** Thirty years: a timer takes no moment that is much later. */
const WAIT_MAX_MS = 1e12
const LOOKS_PER_TTL = 3

/** Defines an admission. Checks the whole of it and fills in the defaults. Throws `InvalidDefinition`, naming the field. */
export function defineAdmission(options: AdmissionOptions): AdmissionDefinition {
  for (const name of Object.keys(options)) if (!OPTIONS.has(name)) throw new InvalidDefinition(options.type, name, 'is no option')
  const { type, module, limit, groupBy = [], maxLength = 10_000, waitMs = 3_600_000, ttlMs = 60_000, policies = {} } = options
  check(type, 'limit', limit, 0)
  check(type, 'maxLength', maxLength, 0, LENGTH_MAX)
  check(type, 'waitMs', waitMs, 1, WAIT_MAX_MS)
  check(type, 'ttlMs', ttlMs, TTL_MIN_MS, TTL_MAX_MS)
  for (const [index, path] of groupBy.entries()) {
    if (typeof path !== 'string' || path === '') throw new InvalidDefinition(type, `groupBy.${index}`, 'must be the path of a parameter')
  }
  const bell = defineBell({ type: `${type}.bell`, module, lookMs: Math.floor(ttlMs / LOOKS_PER_TTL) })
  const directory = defineDirectory({ type: `${type}.directory`, module })
  const meter = defineMeter({ type: `${type}.meter`, module })
  const queue = defineQueue({ type: `${type}.queue`, module, bell, directory })
  return {
    type,
    rules: { limit, groupBy, maxLength, waitMs, ttlMs, policies: definePolicies(policies) },
    queue,
    bell,
    directory,
    meter,
    actors: [queue, bell, directory, meter],
  }
}

function check(type: string, field: string, value: number, min: number, max = Number.MAX_SAFE_INTEGER): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return
  throw new InvalidDefinition(type, field, `must be a whole number from ${min} to ${max}, is ${String(value)}`)
}
