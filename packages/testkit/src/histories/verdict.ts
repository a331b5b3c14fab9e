/**
 * What a checker answers: all is well, or what is wrong in sentences that name the operations, with the counts that say how much
 * was looked at. Every checker is a pure function over plain data. One that finds nothing to look at says so by its counts, and
 * answers `ok`: whoever wants something to have happened asks the counts, or `Properties.sometimes`.
 */

/** How many anomalies a verdict lists at most. More are counted, not listed. */
export const ANOMALIES_LISTED_MAX = 100

/** One thing that is wrong. */
export interface Anomaly<Kind extends string = string> {
  /** Which promise is broken; each checker lists its kinds. */
  readonly kind: Kind
  /** One sentence that names the operations. */
  readonly problem: string
}

/** All is well. */
export interface Accepted {
  readonly ok: true
}

/** Something is wrong. */
export interface Refused<Kind extends string = string> {
  readonly ok: false
  /** The problem of the first anomaly, and how many more there are. */
  readonly problem: string
  /** The first of them, at most `ANOMALIES_LISTED_MAX`; never empty. */
  readonly anomalies: readonly Anomaly<Kind>[]
  /** How many there are, also those that are not listed. */
  readonly anomalyCount: number
}

/** The answer of a checker. `Counts` say what was looked at; they are there in both cases. */
export type Verdict<Kind extends string = string, Counts = unknown> = (Accepted & Counts) | (Refused<Kind> & Counts)

/** Collects what a checker finds. */
export class Anomalies<Kind extends string> {
  readonly #listed: Anomaly<Kind>[] = []
  #count = 0

  /** Notes one. */
  add(kind: Kind, problem: string): void {
    this.#count += 1
    if (this.#listed.length < ANOMALIES_LISTED_MAX) this.#listed.push({ kind, problem })
  }

  /** The answer, with the counts of the checker. */
  verdict<Counts>(counts: Counts): Verdict<Kind, Counts> {
    const [first] = this.#listed
    if (first === undefined) return { ok: true, ...counts }
    const more = this.#count - 1
    const problem = more === 0 ? first.problem : `${first.problem} (and ${more} more)`
    return { ok: false, problem, anomalies: this.#listed, anomalyCount: this.#count, ...counts }
  }
}
