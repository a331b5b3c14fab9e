/** What tells one run from another: who went when, and, where that is wanted, everything that was said. FNV-1a, twice 32 bits. */

const PRIME = 16_777_619

const TRACE_MAX = 200_000

/** Hashes a run as it goes along. */
export class RunHash {
  /** What happened, for a comparison; kept only where what is said is hashed as well. */
  readonly trace: string[] = []
  #one = 0x811c9dc5
  #other = 0x01000193
  #said = 0x811c9dc5

  /** Somebody was chosen. */
  chose(id: number): void {
    this.#one = Math.imul(this.#one ^ id, PRIME)
    this.#other = Math.imul(this.#other + id + 1, 0x2c1b3c6d) ^ (this.#other >>> 15)
  }

  /** Something was said. */
  heard(text: string): void {
    if (this.trace.length < TRACE_MAX) this.trace.push(text)
    for (let index = 0; index < text.length; index += 1) this.#said = Math.imul(this.#said ^ text.charCodeAt(index), PRIME)
  }

  /** Where another run has gone another way, in words; undefined if nothing that is kept differs. */
  differsFrom(other: RunHash): string | undefined {
    const at = this.trace.findIndex((text, index) => text !== other.trace[index])
    if (at !== -1 || this.trace.length !== other.trace.length) {
      const place = at === -1 ? this.trace.length : at
      return `message ${place} is ${shortened(this.trace[place])} in one and ${shortened(other.trace[place])} in the other`
    }
    return this.schedule === other.schedule ? undefined : 'somebody else went on'
  }

  /** The interleaving, in 53 bits. */
  get schedule(): number {
    return (this.#one >>> 0) * 2 ** 21 + (this.#other >>> 11)
  }

  /** The whole run. */
  get whole(): number {
    return Math.imul(this.#one ^ this.#said, PRIME) >>> 0
  }
}

function shortened(text: string | undefined): string {
  if (text === undefined) return 'absent'
  return text.length > 300 ? `${text.slice(0, 300)}…` : text
}
