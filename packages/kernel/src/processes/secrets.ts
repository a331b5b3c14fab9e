/** Secrets: which texts they are, and how they are blotted out of what a process prints. */

/** Shorter ones are not recognised: they would be found everywhere. */
const LENGTH_MIN = 4
const BLOT: Buffer = Buffer.from('[secret]')

/** A piece of what was printed, after blotting. */
export interface Piece {
  readonly bytes: Uint8Array
  /** How many bytes the process has printed for it. */
  readonly printed: number
  /** Whether it stands for a secret, and is kept whole or not at all. */
  readonly isBlot: boolean
}

/** Every text in the secrets, nested ones too. */
export function secretTexts(secrets: unknown): string[] {
  const texts = new Set<string>()
  const visit = (value: unknown): void => {
    if (typeof value === 'string') {
      if (value.length >= LENGTH_MIN) texts.add(value)
    } else if (typeof value === 'object' && value !== null) {
      for (const each of Object.values(value)) visit(each)
    }
  }
  visit(secrets)
  return [...texts]
}

/** Blots secrets out of one stream, also where they come in parts. Holds back no more than the beginning of one. */
export class Redactor {
  readonly #patterns: readonly Pattern[]
  #held: Uint8Array = new Uint8Array()
  /** How many of the held bytes belong to a secret that was blotted out already. */
  #covered = 0

  constructor(secrets: readonly string[]) {
    const forms = new Set(secrets.flatMap((text) => [text, escaped(text), ascii(escaped(text))]))
    this.#patterns = [...forms].map((text) => new Pattern(Buffer.from(text)))
  }

  /** Takes what was printed and answers what can be said already. */
  push(bytes: Uint8Array): Piece[] {
    if (this.#patterns.length === 0) return bytes.length === 0 ? [] : [plain(bytes)]
    const all = Buffer.concat([this.#held, bytes])
    return this.#release(all, Math.min(...this.#patterns.map((pattern) => pattern.beginningAtEnd(all))))
  }

  /** Answers the rest: nothing comes after it. */
  end(): Piece[] {
    const all = Buffer.from(this.#held)
    return this.#release(all, all.length)
  }

  /** Gives out everything before `end`. A secret that begins before it and reaches beyond is blotted out, and its rest remembered. */
  #release(all: Buffer, end: number): Piece[] {
    const pieces: Piece[] = []
    let done = 0
    for (const range of this.#ranges(all)) {
      if (range.start >= end && !range.isOld) break
      if (range.start > done) pieces.push(plain(all.subarray(done, range.start)))
      const stop = Math.min(range.end, end)
      // The beginning of an old one has its blot already.
      pieces.push({ bytes: range.isOld ? all.subarray(0, 0) : BLOT, printed: stop - range.start, isBlot: true })
      done = stop
      if (range.end >= end) {
        this.#covered = range.end - end
        this.#held = all.subarray(end)
        return pieces
      }
    }
    if (done < end) pieces.push(plain(all.subarray(done, end)))
    this.#covered = 0
    this.#held = all.subarray(end)
    return pieces
  }

  /** Where secrets are, in order; those that overlap are one. */
  #ranges(all: Buffer): Range[] {
    const found: Range[] = this.#covered > 0 ? [{ start: 0, end: this.#covered, isOld: true }] : []
    for (const { bytes } of this.#patterns) {
      for (let at = all.indexOf(bytes); at !== -1; at = all.indexOf(bytes, at + 1)) {
        const last = found.at(-1)
        // Kept short where a secret repeats itself.
        if (last !== undefined && !last.isOld && last.start < at && at < last.end && at + bytes.length >= last.end) {
          last.end = at + bytes.length
        } else {
          found.push({ start: at, end: at + bytes.length, isOld: false })
        }
      }
    }
    found.sort((left, right) => left.start - right.start || Number(right.isOld) - Number(left.isOld))
    const merged: Range[] = []
    for (const range of found) {
      const last = merged.at(-1)
      if (last !== undefined && range.start < last.end) last.end = Math.max(last.end, range.end)
      else merged.push({ ...range })
    }
    return merged
  }
}

interface Range {
  readonly start: number
  end: number
  readonly isOld: boolean
}

/** A text to be blotted out. */
class Pattern {
  readonly bytes: Buffer
  /** For each of its beginnings, how long the longest shorter one is that the beginning ends with. */
  readonly #shorter: Uint32Array

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.#shorter = new Uint32Array(bytes.length + 1)
    for (let length = 2, matched = 0; length <= bytes.length; length += 1) {
      while (matched > 0 && bytes[matched] !== bytes[length - 1]) matched = this.#shorter[matched] ?? 0
      if (bytes[matched] === bytes[length - 1]) matched += 1
      this.#shorter[length] = matched
    }
  }

  /** Where the longest beginning of this text starts that stands at the very end of `all`; its length if there is none. */
  beginningAtEnd(all: Buffer): number {
    let matched = 0
    for (let at = Math.max(0, all.length - this.bytes.length + 1); at < all.length; at += 1) {
      while (matched > 0 && this.bytes[matched] !== all[at]) matched = this.#shorter[matched] ?? 0
      if (this.bytes[matched] === all[at]) matched += 1
    }
    return all.length - matched
  }
}

function plain(bytes: Uint8Array): Piece {
  return { bytes, printed: bytes.length, isBlot: false }
}

/** As it stands between the quotes of a JSON text. */
function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

/** As in the JSON of programs that write ASCII only. */
function ascii(text: string): string {
  return text.replaceAll(/[\u0080-\uFFFF]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
