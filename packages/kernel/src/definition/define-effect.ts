/**
 * `defineEffect`: a side effect on the outside world, delivered at least once from the outbox.
 *
 * Like an actor's definition it is plain data and functions, found by a shard's thread through `module`.
 */
import type { z } from 'zod'
import { InvalidDefinition } from '../errors.ts'
import { backoffOf } from './backoff.ts'
import type { Backoff, BackoffOptions } from './backoff.ts'
import { requireOptions } from './option-names.ts'
import type { ProcessApi } from './process.ts'

/** One attempt. */
export interface EffectAttempt<Input> {
  readonly input: Input
  /** The same at every attempt, also after a crash. Hand it to whoever performs the effect. */
  readonly idempotencyKey: string
  /** Counts attempts, from 1. */
  readonly attempt: number
  /** Aborted when the attempt's time is over, and when the system closes. */
  readonly signal: AbortSignal
  /** Child processes owned by the runtime. They are ended with the attempt. */
  readonly process: EffectProcesses
}

/** What an attempt can do with child processes. */
export type EffectProcesses = Pick<ProcessApi, 'run' | 'spawn'>

/** What a probe found: whether an earlier attempt took effect, and then its result. */
export type ProbeResult<Output> = { readonly done: true; readonly output: Output } | { readonly done: false }

/** When a failed attempt is followed by another. */
export interface RetryOptions {
  /** How many attempts there are in all. Default 5. */
  readonly maxAttempts?: number
  /** Default: 1,000 ms after the first attempt, at most 300,000, with a jitter of 0.2. */
  readonly backoff?: BackoffOptions
}

/** What an effect's definition may say. */
export interface EffectOptions<Given, Input, Output> {
  /** Name of the effect, for instance `mail`. Part of stored rows and of the events `<name>.done` and `<name>.failed`. */
  readonly name: string
  /** URL of the module that exports this definition: `import.meta.url`. Shard threads import it. */
  readonly module: string
  /** Schema of the input. Without it any JSON value is taken. */
  readonly input?: z.ZodType<Input, Given>
  /**
   * Performs the effect; runs in the shard's thread, so it should mostly wait. Its result is what the actor gets. A throw
   * is a failed attempt; one with the property `retryable: false` is the last.
   */
  readonly run: (attempt: EffectAttempt<Input>) => Output | Promise<Output>
  readonly retry?: RetryOptions
  /** After so many milliseconds an attempt has failed, whatever it still does. Default 30,000. */
  readonly timeoutMs?: number
  /** How many attempts of this effect run at a time on one shard. Default 16. */
  readonly concurrency?: number
  /**
   * Asked before another attempt when it is not known what the last one did: after a crash, or when it took too long.
   * Without it the effect is simply tried again.
   */
  readonly probe?: (attempt: EffectAttempt<Input>) => ProbeResult<Output> | Promise<ProbeResult<Output>>
}

/** An effect's definition after its checks, with every default filled in. */
export interface EffectDefinition<Given = never> {
  readonly name: string
  readonly module: string
  readonly input: z.ZodType | undefined
  readonly run: (attempt: EffectAttempt<never>) => unknown
  readonly retry: {
    readonly maxAttempts: number
    readonly backoff: Backoff
  }
  readonly timeoutMs: number
  readonly concurrency: number
  readonly probe: ((attempt: EffectAttempt<never>) => unknown) | undefined
  /** Carries types only; never present. */
  readonly takes?: (given: Given) => void
}

const OPTIONS: ReadonlySet<string> = new Set(['name', 'module', 'input', 'run', 'retry', 'timeoutMs', 'concurrency', 'probe'])
const RETRY_OPTIONS: ReadonlySet<string> = new Set(['maxAttempts', 'backoff'])

/** Marks definitions, so that a shard can find them among the exports of a module, also across copies of this package. */
const DEFINITION = Symbol.for('bailiwick.effect-definition')

/** Whether a value was made by `defineEffect`. */
export function isEffectDefinition(value: unknown): value is EffectDefinition {
  return typeof value === 'object' && value !== null && DEFINITION in value
}

/** Defines an effect. Checks the whole definition and fills in the defaults. Throws `InvalidDefinition`, naming the field. */
export function defineEffect<Given, Input, Output>(
  options: EffectOptions<Given, Input, Output> & { readonly input: z.ZodType<Input, Given> },
): EffectDefinition<Given>
export function defineEffect<Output>(options: EffectOptions<unknown, unknown, Output>): EffectDefinition<unknown>
export function defineEffect<Given, Input, Output>(options: EffectOptions<Given, Input, Output>): EffectDefinition<Given> {
  const { name, module, input, run, probe, retry = {} } = options
  check(
    name,
    typeof name === 'string' && /^[A-Za-z][\w.-]{0,99}$/.test(name),
    'name',
    'must be a letter, then letters, digits, "_", "." or "-", at most 100',
  )
  const where = `effect ${name}`
  requireOptions(where, '', options, OPTIONS)
  requireOptions(where, 'retry', retry, RETRY_OPTIONS)
  const backoff = backoffOf(where, 'retry.backoff', retry.backoff ?? {}, { minMs: 1_000, maxMs: 300_000, jitter: 0.2 })
  check(name, typeof module === 'string' && URL.canParse(module), 'module', 'must be the URL of a module: write `module: import.meta.url`')
  check(name, typeof run === 'function', 'run', 'must be a function')
  check(name, probe === undefined || typeof probe === 'function', 'probe', 'must be a function')
  check(name, input === undefined || typeof input.safeParse === 'function', 'input', 'must be a zod schema')
  const definition: EffectDefinition<Given> & { readonly [DEFINITION]: true } = {
    [DEFINITION]: true,
    name,
    module,
    input,
    run,
    retry: { maxAttempts: wholeFrom(name, 'retry.maxAttempts', retry.maxAttempts ?? 5, 1), backoff },
    timeoutMs: atLeast(name, 'timeoutMs', options.timeoutMs ?? 30_000, 1),
    concurrency: wholeFrom(name, 'concurrency', options.concurrency ?? 16, 1),
    probe,
  }
  return Object.freeze(definition)
}

/** What of a definition must be the same in every thread: everything that can be compared. */
export function fingerprintOfEffect({ name, retry, timeoutMs, concurrency, probe, input }: EffectDefinition): string {
  return JSON.stringify({ name, retry, timeoutMs, concurrency, probes: probe !== undefined, checks: input !== undefined })
}

function check(definition: string, holds: boolean, field: string, detail: string): void {
  if (!holds) throw new InvalidDefinition(`effect ${definition}`, field, detail)
}

function wholeFrom(definition: string, field: string, value: number, min: number): number {
  check(definition, Number.isSafeInteger(value) && value >= min, field, `must be a whole number from ${min}, is ${String(value)}`)
  return value
}

function atLeast(definition: string, field: string, value: number, min: number): number {
  check(
    definition,
    typeof value === 'number' && Number.isFinite(value) && value >= min,
    field,
    `must be a number from ${min}, is ${String(value)}`,
  )
  return value
}
