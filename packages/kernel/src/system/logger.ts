/**
 * What people are told: opening and closing, threads and shards that fail and recover, actors that are held back, errors
 * that belong to no caller. Never an input, a reply or a state. A logger that throws harms nobody.
 */
import { encodeError, InvalidDefinition } from '../errors.ts'

/** Writes one line. */
export type LogMethod = (message: string, fields: Readonly<Record<string, unknown>>) => void

/**
 * Where a program wants its lines; `console` fits. Called synchronously, with a fixed message and the particulars as fields.
 * What it throws, or rejects with, is ignored.
 */
export interface Logger {
  readonly debug?: LogMethod
  readonly info: LogMethod
  readonly warn: LogMethod
  readonly error: LogMethod
}

type Level = 'info' | 'warn' | 'error'

/** Errors that say that an actor is held back, and what is written about them. */
const HELD: Readonly<Record<string, string>> = { ACTOR_QUARANTINED: 'actor quarantined', ACTOR_STOPPED: 'actor stopped' }

/** Writes to the program's logger; where there is none, only errors that belong to no caller are said, as warnings of the process. */
export class Log {
  readonly #logger: Logger | undefined
  readonly #warn: (error: unknown) => void

  constructor(logger: Logger | undefined, warn: ((error: unknown) => void) | undefined) {
    this.#logger = logger
    this.#warn = warn ?? (() => undefined)
  }

  info(message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#write('info', message, fields)
  }

  warn(message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#write('warn', message, fields)
  }

  error(message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#write('error', message, fields)
  }

  /** An error that belongs to no caller. */
  report(error: unknown, fields: Readonly<Record<string, unknown>>): void {
    const { code, message, stack } = encodeError(error)
    const held = HELD[code]
    if (this.#logger === undefined) this.#warn(error)
    else if (held !== undefined) this.#write('error', held, { ...fields, error: { code, message } })
    else this.#write('error', 'error without a caller', { ...fields, error: { code, message, stack } })
  }

  #write(level: Level, message: string, fields: Readonly<Record<string, unknown>>): void {
    try {
      // Called as a method: a logger may need its `this`.
      const result: unknown = this.#logger?.[level](message, fields)
      if (result instanceof Promise) result.catch(() => undefined)
    } catch {
      // There is nobody left to tell.
    }
  }
}

/** Checks a logger. Throws `InvalidDefinition`, naming what is missing. */
export function checkLogger(where: string, logger: unknown): void {
  if (logger === undefined) return
  const fail = (field: string, detail: string): never => {
    throw new InvalidDefinition(where, field, detail)
  }
  if ((typeof logger !== 'object' && typeof logger !== 'function') || logger === null) fail('logger', 'must be an object such as console')
  const methods = logger as Readonly<Record<string, unknown>> // Looked at, whatever it is.
  for (const level of ['info', 'warn', 'error']) if (typeof methods[level] !== 'function') fail(`logger.${level}`, 'must be a function')
  if (methods['debug'] !== undefined && typeof methods['debug'] !== 'function') fail('logger.debug', 'must be a function')
}

/** An error as a line has it. */
export function errorField(error: unknown): { readonly code: string; readonly message: string } {
  const { code, message } = encodeError(error)
  return { code, message }
}
