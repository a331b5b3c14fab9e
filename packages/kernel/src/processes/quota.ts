/** How much of a stream is kept in one place. */
import type { Piece } from './secrets.ts'
import { wholeCharacters } from './whole-characters.ts'

/** Bytes of a limit that are kept back, for the notice that the rest is missing. */
const NOTICE_BYTES = 128

/** Lets through what fits, whole characters only. After the first that does not fit nothing more gets through. */
export class Quota {
  readonly #limit: number
  #room: number
  #kept = 0
  #isFull = false

  constructor(limit: number) {
    this.#limit = limit
    this.#room = Math.max(0, limit - NOTICE_BYTES)
  }

  /** Whether something did not fit. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** Bytes of what the process has printed that are kept. */
  get kept(): number {
    return this.#kept
  }

  /** Answers what of a piece is kept. */
  take(piece: Piece): Uint8Array {
    const length = this.#isFull ? 0 : piece.isBlot && piece.bytes.length > this.#room ? 0 : wholeCharacters(piece.bytes, this.#room)
    const isWhole = !this.#isFull && length === piece.bytes.length
    if (!isWhole) this.#isFull = true
    this.#room -= length
    this.#kept += isWhole ? piece.printed : length
    return piece.bytes.subarray(0, length)
  }

  /** Cuts a notice so that it fits beside what is kept; it is ASCII. */
  notice(text: string): string {
    return text.slice(0, Math.min(NOTICE_BYTES, this.#limit))
  }
}
