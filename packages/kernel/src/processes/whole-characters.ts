/** UTF-8 at its borders: text is only cut between characters. Bytes that are no UTF-8 are cut anywhere. */
import type { Piece } from './secrets.ts'

const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0b1100_0000) === 0b1000_0000

/** The most bytes, up to `max`, that do not end within a character. */
export function wholeCharacters(bytes: Uint8Array, max: number): number {
  if (bytes.length <= max) return bytes.length
  for (let end = max; end > 0 && end > max - 4; end -= 1) if (!isContinuation(bytes[end])) return end
  // No character is that long, or none begins here.
  return max >= 4 || isContinuation(bytes[0]) ? max : 0
}

/** How many bytes at the end are the beginning of a character that is not complete. */
function incompleteAtEnd(bytes: Uint8Array): number {
  for (let count = 1; count <= Math.min(3, bytes.length); count += 1) {
    const byte = bytes[bytes.length - count] ?? 0
    if (isContinuation(byte)) continue
    const length = byte >= 0b1111_0000 ? 4 : byte >= 0b1110_0000 ? 3 : byte >= 0b1100_0000 ? 2 : 1
    return length > count ? count : 0
  }
  return 0
}

/** Passes pieces on so that none ends within a character. */
export class Aligner {
  #held: Uint8Array = new Uint8Array()

  push(piece: Piece): Piece[] {
    if (piece.isBlot) return [...this.end(), piece]
    const bytes = this.#held.length === 0 ? piece.bytes : Buffer.concat([this.#held, piece.bytes])
    const held = incompleteAtEnd(bytes)
    this.#held = Buffer.from(bytes.subarray(bytes.length - held))
    const whole = bytes.subarray(0, bytes.length - held)
    return whole.length === 0 ? [] : [{ bytes: whole, printed: whole.length, isBlot: false }]
  }

  /** The process has ended in the middle of a character, or printed none: that is passed on as it is. */
  end(): Piece[] {
    const bytes = this.#held
    if (bytes.length === 0) return []
    this.#held = new Uint8Array()
    return [{ bytes, printed: bytes.length, isBlot: false }]
  }
}
