/**
 * Supervision as data: what happens when an actor or a thread fails, and when that happens too often.
 *
 * The window slides, as in OTP: a failure is one too many if more than `maxRestarts` failures, this one included, lie within
 * the last `withinMs`, its end included. So with 2 in 10 s, failures at 0, 9, 11 and 18 s are one too many at 18 s.
 */
import { InvalidDefinition } from '../errors.ts'
import { backoffOf, requireMs } from './backoff.ts'
import type { Backoff, BackoffOptions } from './backoff.ts'
import { requireOptions } from './option-names.ts'

/** In which company an actor is restarted. */
export interface GroupOptions {
  /** Name of the group. Actors of all types with this group and the same key belong together. */
  readonly name: string
  /**
   * Who is restarted, or held back, when one is: `one-for-one` nobody else, `one-for-all` all of them, `rest-for-one` those
   * that come after it in the list of actors with which the system is opened. The same in every definition of the group.
   */
  readonly strategy: 'one-for-one' | 'one-for-all' | 'rest-for-one'
}

/** What happens when an actor fails. */
export interface SupervisionOptions {
  /** How many failures within the window an actor survives. Default: any number. */
  readonly maxRestarts?: number
  /** Length of the window, in milliseconds. Default 5,000. */
  readonly withinMs?: number
  /**
   * Default: `minMs` 0, `maxMs` 30,000, `jitter` 0.2. After a failure of what the actor does by itself, such as a child or a timer,
   * `minMs` is at least 100. It begins anew once no failure lies within the window.
   */
  readonly backoff?: BackoffOptions
  /**
   * What becomes of an actor that fails too often. `quarantine`: it serves nothing and keeps what waits for it, until it is
   * released. `stop`: what waits for it and what comes becomes dead letters. Default `quarantine`.
   */
  readonly onExhausted?: 'quarantine' | 'stop'
  readonly group?: GroupOptions
}

/** What happens when a thread of shards dies. */
export interface ThreadSupervisionOptions {
  /** How many deaths within the window are followed by another thread. Default 5. */
  readonly maxRestarts?: number
  /** Length of the window, in milliseconds. Default 60,000. */
  readonly withinMs?: number
  /** Default 50 ms to 5,000 ms, without jitter. */
  readonly backoff?: BackoffOptions
  /** A thread whose event loop stands still for so long, in milliseconds, is ended and replaced. Default 10,000. */
  readonly hangMs?: number
  /** How long a thread may take to load its modules and to recover its shards, in milliseconds. Default 60,000. */
  readonly startMs?: number
}

/** An actor's supervision with every default filled in. */
export interface Supervision {
  readonly maxRestarts: number
  readonly withinMs: number
  readonly backoff: Backoff
  readonly onExhausted: 'quarantine' | 'stop'
  readonly group: GroupOptions | undefined
}

/** A thread's supervision with every default filled in. */
export interface ThreadSupervision {
  readonly maxRestarts: number
  readonly withinMs: number
  readonly backoff: Backoff
  readonly hangMs: number
  readonly startMs: number
}

const OPTIONS: ReadonlySet<string> = new Set(['maxRestarts', 'withinMs', 'backoff', 'onExhausted', 'group'])
const THREAD_OPTIONS: ReadonlySet<string> = new Set(['maxRestarts', 'withinMs', 'backoff', 'hangMs', 'startMs'])
const GROUP_OPTIONS: ReadonlySet<string> = new Set(['name', 'strategy'])
const EXHAUSTIONS: ReadonlySet<unknown> = new Set(['quarantine', 'stop'])
const STRATEGIES: ReadonlySet<unknown> = new Set(['one-for-one', 'one-for-all', 'rest-for-one'])
/** Every failure within the window is remembered. */
const RESTARTS_MAX = 1_000

/** Checks an actor's supervision as a whole. Throws `InvalidDefinition`, naming the field. `where` is the definition, `path` the option that it stands in. */
export function supervisionOf(where: string, path: string, options: SupervisionOptions): Supervision {
  requireOptions(where, path, options, OPTIONS)
  const { maxRestarts = Infinity, withinMs = 5_000, backoff = {}, onExhausted = 'quarantine', group } = options
  requireCount(where, `${path}.maxRestarts`, maxRestarts)
  requireMs(where, `${path}.withinMs`, withinMs, 1)
  check(where, EXHAUSTIONS.has(onExhausted), `${path}.onExhausted`, 'must be "quarantine" or "stop"')
  if (group !== undefined) checkGroup(where, `${path}.group`, group)
  const defaults = { minMs: 0, maxMs: 30_000, jitter: 0.2 }
  return { maxRestarts, withinMs, backoff: backoffOf(where, `${path}.backoff`, backoff, defaults), onExhausted, group }
}

/** The same for threads. */
export function threadSupervisionOf(where: string, path: string, options: ThreadSupervisionOptions): ThreadSupervision {
  requireOptions(where, path, options, THREAD_OPTIONS)
  const { maxRestarts = 5, withinMs = 60_000, backoff = {}, hangMs = 10_000, startMs = 60_000 } = options
  requireCount(where, `${path}.maxRestarts`, maxRestarts)
  requireMs(where, `${path}.withinMs`, withinMs, 1)
  requireMs(where, `${path}.hangMs`, hangMs, 100)
  requireMs(where, `${path}.startMs`, startMs, 100)
  const defaults = { minMs: 50, maxMs: 5_000, jitter: 0 }
  return { maxRestarts, withinMs, backoff: backoffOf(where, `${path}.backoff`, backoff, defaults), hangMs, startMs }
}

/** The failures that lie in the window at a moment: those before its beginning are over. */
export function withinWindow(failures: readonly number[], withinMs: number, now: number): readonly number[] {
  return failures.filter((at) => now - at <= withinMs)
}

function checkGroup(where: string, path: string, group: GroupOptions): void {
  requireOptions(where, path, group, GROUP_OPTIONS)
  check(where, typeof group.name === 'string' && group.name !== '' && group.name.length <= 200, `${path}.name`, 'must be a name')
  check(where, STRATEGIES.has(group.strategy), `${path}.strategy`, 'must be "one-for-one", "one-for-all" or "rest-for-one"')
}

function requireCount(where: string, field: string, value: number): void {
  const isCount = value === Infinity || (Number.isSafeInteger(value) && value >= 0 && value <= RESTARTS_MAX)
  check(where, isCount, field, `must be a whole number from 0 to ${RESTARTS_MAX}, or Infinity, is ${String(value)}`)
}

function check(where: string, holds: boolean, field: string, detail: string): void {
  if (!holds) throw new InvalidDefinition(where, field, detail)
}
