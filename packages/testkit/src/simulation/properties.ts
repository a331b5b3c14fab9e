/**
 * Claims inside of code under simulation, with a catalogue over all runs. The idea is that of Antithesis' assertions: what must
 * `always` hold, what must be `unreachable`; and, so that a test cannot pass by never coming near, what must `sometimes` hold and
 * what must be `reachable` in at least one of all runs.
 *
 * One object serves thousands of runs. A claim that holds costs a look into a map; text is made only for the first violation.
 */

/** What kind of claim a property is. */
export type PropertyKind = 'always' | 'sometimes' | 'reachable' | 'unreachable'

/** A property that is to be known before it is met. */
export interface PropertyDeclaration {
  readonly kind: PropertyKind
  readonly name: string
}

/** What has become of a property; plain JSON, so that it crosses threads and processes. */
export interface PropertyEntry extends PropertyDeclaration {
  /** How often it was come to. */
  readonly evaluated: number
  /** How often its condition was true; for `reachable` and `unreachable`, how often the place was reached. */
  readonly held: number
  /** How often its condition was false. */
  readonly failed: number
  /** Details of its first violation, shortened. Only `always` and `unreachable` have some. */
  readonly details?: string
}

/** How properties are kept. */
export interface PropertiesOptions {
  /** Known from the start, so that one that is never come to is known to be unmet: also `catalogue()` of an earlier run. */
  readonly declared?: readonly PropertyDeclaration[]
  /** How many names there may be. Default 10,000: more are a name with a number in it. */
  readonly namesMax?: number
  /** To how many characters details are shortened. Default 1,000. */
  readonly detailsMax?: number
}

/** An `always` was false, or an `unreachable` was reached. Thrown at the place where it happened. */
export class PropertyViolated extends Error {
  readonly code = 'PROPERTY_VIOLATED'
  readonly property: string
  readonly kind: 'always' | 'unreachable'
  /** What was given as details, shortened; absent if nothing was. */
  readonly details: string | undefined

  constructor(kind: 'always' | 'unreachable', property: string, details: string | undefined) {
    const what = kind === 'always' ? 'does not always hold' : 'was reached'
    super(`The property "${property}" ${what}${details === undefined ? '' : `: ${details}`}`)
    this.name = 'PropertyViolated'
    this.kind = kind
    this.property = property
    this.details = details
  }
}

/** After all runs, a `sometimes` was never true or a `reachable` never reached: the test has not come to what it is about. */
export class PropertyUnmet extends Error {
  readonly code = 'PROPERTY_UNMET'
  readonly unmet: readonly PropertyEntry[]

  constructor(unmet: readonly PropertyEntry[]) {
    const lines = unmet.map(({ kind, name, evaluated }) =>
      kind === 'reachable' ? `"${name}" was never reached` : `"${name}" was never true (evaluated ${evaluated} times)`,
    )
    super(`After all runs, ${lines.join('; ')}`)
    this.name = 'PropertyUnmet'
    this.unmet = unmet
  }
}

/** A mistake in the test: one name for two kinds of properties, or more names than there may be. */
export class PropertyMisused extends Error {
  readonly code = 'PROPERTY_MISUSED'
  readonly property: string

  constructor(property: string, problem: string) {
    super(`The property "${property}" ${problem}`)
    this.name = 'PropertyMisused'
    this.property = property
  }
}

const NAMES_DEFAULT_MAX = 10_000
const DETAILS_DEFAULT_MAX = 1_000

interface Tally {
  readonly kind: PropertyKind
  readonly name: string
  held: number
  failed: number
  details: string | undefined
}

/** The properties of a test, over all of its runs. */
export class Properties {
  readonly #tallies = new Map<string, Tally>()
  readonly #namesMax: number
  readonly #detailsMax: number

  /** Throws `PropertyMisused` if what is declared has one name twice with two kinds. */
  constructor({ declared = [], namesMax = NAMES_DEFAULT_MAX, detailsMax = DETAILS_DEFAULT_MAX }: PropertiesOptions = {}) {
    this.#namesMax = namesMax
    this.#detailsMax = detailsMax
    for (const { kind, name } of declared) this.declare(kind, name)
  }

  /** Makes a property known before anybody comes to it. Harmless if it is known. Throws `PropertyMisused`. */
  declare(kind: PropertyKind, name: string): void {
    this.#tally(kind, name)
  }

  /**
   * Claims that the condition holds whenever this place is reached. Throws `PropertyViolated` if it does not, with the details: any
   * value, or a function that makes one and is called only then.
   */
  always(name: string, condition: boolean, details?: unknown): void {
    const tally = this.#tally('always', name)
    if (condition) tally.held += 1
    else {
      tally.failed += 1
      throw this.#violation('always', tally, details)
    }
  }

  /** Claims that the condition holds in at least one of all runs. */
  sometimes(name: string, condition: boolean): void {
    const tally = this.#tally('sometimes', name)
    if (condition) tally.held += 1
    else tally.failed += 1
  }

  /** Claims that this place is reached in at least one of all runs. */
  reachable(name: string): void {
    this.#tally('reachable', name).held += 1
  }

  /** Claims that this place is never reached. Throws `PropertyViolated`; details as for `always`. */
  unreachable(name: string, details?: unknown): void {
    const tally = this.#tally('unreachable', name)
    tally.held += 1
    throw this.#violation('unreachable', tally, details)
  }

  /** What has become of every property, in the order in which they became known. */
  catalogue(): readonly PropertyEntry[] {
    return [...this.#tallies.values()].map(({ kind, name, held, failed, details }) => ({
      kind,
      name,
      evaluated: held + failed,
      held,
      failed,
      ...(details === undefined ? {} : { details }),
    }))
  }

  /** Every `sometimes` that was never true, and every `reachable` that was never reached. */
  unmet(): readonly PropertyEntry[] {
    return this.catalogue().filter(({ kind, held }) => held === 0 && (kind === 'sometimes' || kind === 'reachable'))
  }

  /** After all runs: throws `PropertyUnmet` if anything is unmet. */
  assertMet(): void {
    const unmet = this.unmet()
    if (unmet.length > 0) throw new PropertyUnmet(unmet)
  }

  /** Adds what other runs have counted, here or in another process. Of details the first ones stay. Throws `PropertyMisused`. */
  merge(other: Properties | readonly PropertyEntry[]): void {
    for (const { kind, name, held, failed, details } of other instanceof Properties ? other.catalogue() : other) {
      const tally = this.#tally(kind, name)
      tally.held += held
      tally.failed += failed
      tally.details ??= details
    }
  }

  #tally(kind: PropertyKind, name: string): Tally {
    const known = this.#tallies.get(name)
    if (known?.kind === kind) return known
    if (known !== undefined) throw new PropertyMisused(name, `is claimed as ${kind}, and is known as ${known.kind}`)
    if (this.#tallies.size >= this.#namesMax) {
      throw new PropertyMisused(name, `is one more than ${this.#namesMax}: names are written in code, and numbers belong in details`)
    }
    const tally: Tally = { kind, name, held: 0, failed: 0, details: undefined }
    this.#tallies.set(name, tally)
    return tally
  }

  #violation(kind: 'always' | 'unreachable', tally: Tally, details: unknown): PropertyViolated {
    const text = shortened(details, this.#detailsMax)
    tally.details ??= text
    return new PropertyViolated(kind, tally.name, text)
  }
}

/** Details as text of at most `max` characters. What JSON cannot carry, or a function that throws, must not hide the violation. */
function shortened(details: unknown, max: number): string | undefined {
  if (details === undefined) return undefined
  const text = inWords(details)
  return text.length <= max ? text : `${text.slice(0, Math.max(0, max - 1))}…`
}

function inWords(details: unknown): string {
  try {
    // A function's parameters are not known; one of ours is called without any.
    const value = typeof details === 'function' ? (details as () => unknown)() : details
    if (typeof value === 'string') return value
    if (value instanceof Error) return value.message
    if (typeof value === 'bigint' || typeof value === 'symbol') return value.toString()
    // JSON.stringify answers nothing for some values, whatever its type says.
    const text: unknown = JSON.stringify(value)
    return typeof text === 'string' ? text : typeof value
  } catch (error) {
    return `details that could not be shown: ${String(error)}`
  }
}
