/** Checks how a process is to be started, and fills in what was left out. */
import { checkMs } from '../definition/input.ts'
import { findJsonFault } from '../definition/json.ts'
import type { SessionSpec } from '../definition/process.ts'
import { InvalidInput } from '../errors.ts'
import { secretTexts } from './secrets.ts'

/** Bounds of what a process prints, all of them given. */
export interface Limits {
  readonly logBytes: number
  readonly chunkBytes: number
  readonly keepMs: number
  readonly outputBytes: number
}

/** A description that has been checked. */
export interface CheckedSpec {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string | undefined
  /** What was given; the variables that every process gets come on top. */
  readonly env: Readonly<Record<string, string>>
  /** The first line of its standard input, with its end; `undefined` if there is none. */
  readonly line: string | undefined
  /** What is blotted out where it prints it. */
  readonly secrets: readonly string[]
  readonly limits: Limits
  readonly timeoutMs: number | undefined
  readonly graceMs: number
  readonly noReplyMs: number
  readonly idleMs: number
}

/** The variable that the runtime sets itself. */
const RESERVED_VARIABLE = 'BAILIWICK_PROCESS'
const FIELDS = ['command', 'args', 'cwd', 'env', 'input', 'secrets', 'limits', 'timeoutMs', 'graceMs']
const SESSION_FIELDS = ['noReplyMs', 'idleMs']
const LIMIT_FIELDS = ['logBytes', 'chunkBytes', 'keepMs', 'outputBytes']
/** Comes back with the result, as one string. */
const OUTPUT_BYTES_MAX = 2 ** 28
const LOG_BYTES_MAX = 2 ** 40
/** So that a character always fits into a chunk. */
const CHUNK_BYTES_MIN = 16

const DEFAULT_LIMITS: Limits = { logBytes: 10 * 2 ** 20, chunkBytes: 2 ** 20, keepMs: 7 * 86_400_000, outputBytes: 2 ** 20 }
export const DEFAULT_GRACE_MS = 5_000
const DEFAULT_NO_REPLY_MS = 3_600_000
const DEFAULT_IDLE_MS = 300_000

/** Checks a description. Throws `InvalidInput`, which names the field and never holds a secret. */
export function checkSpec(operation: string, given: unknown, kind: 'process' | 'session'): CheckedSpec {
  const spec: Fields<SessionSpec> = fieldsOf(operation, '', given, kind === 'session' ? [...FIELDS, ...SESSION_FIELDS] : FIELDS)
  const ms = (field: 'timeoutMs' | 'graceMs' | 'noReplyMs' | 'idleMs', preset: number): number =>
    spec[field] === undefined ? preset : checkMs(operation, field, spec[field], 0)
  const checked: CheckedSpec = {
    command: textOf(operation, 'command', spec.command),
    args: argsOf(operation, spec.args),
    cwd: spec.cwd === undefined ? undefined : textOf(operation, 'cwd', spec.cwd),
    env: envOf(operation, spec.env),
    line: lineOf(operation, spec.input, spec.secrets),
    secrets: secretTexts(spec.secrets),
    limits: checkLimits(operation, spec.limits),
    timeoutMs: spec.timeoutMs === undefined ? undefined : ms('timeoutMs', 0),
    graceMs: ms('graceMs', DEFAULT_GRACE_MS),
    noReplyMs: ms('noReplyMs', DEFAULT_NO_REPLY_MS),
    idleMs: ms('idleMs', DEFAULT_IDLE_MS),
  }
  checkNoSecret(operation, checked)
  return checked
}

/** Checks the bounds of what a process prints, and fills in what was left out. */
export function checkLimits(operation: string, given?: unknown): Limits {
  if (given === undefined) return DEFAULT_LIMITS
  const limits: Fields<Limits> = fieldsOf(operation, 'limits', given, LIMIT_FIELDS)
  const bytes = (field: 'logBytes' | 'chunkBytes' | 'outputBytes', min: number, max: number): number => {
    const value = limits[field] ?? DEFAULT_LIMITS[field]
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value
    throw new InvalidInput(operation, `limits.${field}`, `must be a whole number of bytes from ${min} to ${max}`)
  }
  const keepMs = limits.keepMs === undefined ? DEFAULT_LIMITS.keepMs : checkMs(operation, 'limits.keepMs', limits.keepMs, 0)
  return {
    logBytes: bytes('logBytes', 0, LOG_BYTES_MAX),
    chunkBytes: bytes('chunkBytes', CHUNK_BYTES_MIN, LOG_BYTES_MAX),
    keepMs,
    outputBytes: bytes('outputBytes', 0, OUTPUT_BYTES_MAX),
  }
}

/** Whatever a caller may have put there. */
type Fields<T> = { readonly [Name in keyof T]?: unknown }

function fieldsOf(operation: string, field: string, given: unknown, known: readonly string[]): Readonly<Record<string, unknown>> {
  if (!isObject(given)) throw new InvalidInput(operation, field, 'must be an object')
  const unknown = Object.keys(given).find((name) => !known.includes(name))
  if (unknown !== undefined) throw new InvalidInput(operation, field === '' ? unknown : `${field}.${unknown}`, 'is not known')
  return given
}

function isObject(given: unknown): given is Readonly<Record<string, unknown>> {
  return typeof given === 'object' && given !== null && !Array.isArray(given)
}

function isText(given: unknown): given is string {
  return typeof given === 'string' && !given.includes('\0')
}

function textOf(operation: string, field: string, given: unknown): string {
  if (isText(given) && given !== '') return given
  throw new InvalidInput(operation, field, 'must be a string that is not empty, without a NUL character')
}

function argsOf(operation: string, given: unknown): readonly string[] {
  if (given === undefined) return []
  if (!Array.isArray(given)) throw new InvalidInput(operation, 'args', 'must be an array of strings')
  return given.map((each: unknown, index) => {
    if (isText(each)) return each
    throw new InvalidInput(operation, `args.${index}`, 'must be a string without a NUL character')
  })
}

function envOf(operation: string, given: unknown): Readonly<Record<string, string>> {
  if (given === undefined) return {}
  if (!isObject(given)) throw new InvalidInput(operation, 'env', 'must be an object of strings')
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(given)) {
    if (name === '' || name.includes('=') || name.includes('\0')) throw new InvalidInput(operation, 'env', 'has a name that cannot be one')
    if (name === RESERVED_VARIABLE) throw new InvalidInput(operation, `env.${name}`, 'is set by the runtime')
    if (!isText(value)) throw new InvalidInput(operation, `env.${name}`, 'must be a string without a NUL character')
    env[name] = value
  }
  return env
}

function lineOf(operation: string, input: unknown, secrets: unknown): string | undefined {
  if (input === undefined && secrets === undefined) return undefined
  for (const [field, given] of Object.entries({ input, secrets })) {
    if (given === undefined) continue
    if (!isObject(given)) throw new InvalidInput(operation, field, 'must be an object')
    const fault = findJsonFault(given)
    if (fault !== undefined) throw new InvalidInput(operation, `${field}.${fault.path}`, `${fault.detail}, which JSON cannot carry`)
  }
  const parameters = isObject(input) ? input : {}
  const hidden = isObject(secrets) ? secrets : {}
  const twice = Object.keys(hidden).find((name) => Object.hasOwn(parameters, name))
  if (twice !== undefined) throw new InvalidInput(operation, `secrets.${twice}`, 'stands in input too')
  return `${JSON.stringify({ ...parameters, ...hidden })}\n`
}

/** Secrets must not stand where others can read them. What is thrown says where, and not what. */
function checkNoSecret(operation: string, { command, args, cwd, env, secrets }: CheckedSpec): void {
  const places: [field: string, text: string][] = [
    ['command', command],
    ...args.map((text, index): [string, string] => [`args.${index}`, text]),
    // First the names, which must not be told if they hold a secret.
    ...Object.keys(env).map((name): [string, string] => ['env', name]),
    ...Object.entries(env).map(([name, text]): [string, string] => [`env.${name}`, text]),
    ['cwd', cwd ?? ''],
  ]
  const place = places.find(([, text]) => secrets.some((secret) => text.includes(secret)))
  if (place !== undefined) {
    throw new InvalidInput(operation, place[0], 'holds a secret, and others on this machine could read it: it belongs to secrets alone')
  }
}
