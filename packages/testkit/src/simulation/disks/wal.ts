/**
 * What a write-ahead log of SQLite holds, read from its bytes (https://www.sqlite.org/fileformat2.html#walformat): where its last
 * commit ends, and how much of it has been moved into the database. As for SQLite itself, only frames count whose salts and
 * checksums are those of this log, and only as far as a commit. Linear in the size of the log.
 */
import { endianness } from 'node:os'

const HEADER_BYTES = 32

const FRAME_HEADER_BYTES = 24

/** The magic number of a log whose checksums take words of four bytes with the most significant byte first. */
const MAGIC_BIG_ENDIAN = 0x377f0683

/** Where the count of frames that are moved into the database stands in the index of a log. */
const BACKFILLED_AT = 96

/** A log as far as it is committed. */
export interface Log {
  /** The two salts of this log, which change whenever it is begun anew; empty if there is none. */
  readonly salts: string
  /** Where its last commit ends, in bytes; 0 for a log without one. */
  readonly end: number
  /** Size of a frame in bytes; 0 without a log. */
  readonly frameBytes: number
}

/** Reads the bytes of a log. */
export function readLog(bytes: Buffer): Log {
  if (bytes.length < HEADER_BYTES) return { salts: '', end: 0, frameBytes: 0 }
  const salts = bytes.toString('hex', 16, 24)
  const frameBytes = bytes.readUInt32BE(8) + FRAME_HEADER_BYTES
  const checksum = new Checksum(bytes)
  checksum.add(0, 24)
  let end = 0
  for (let at = HEADER_BYTES; at + frameBytes <= bytes.length; at += frameBytes) {
    if (bytes.toString('hex', at + 8, at + 16) !== salts) break
    checksum.add(at, at + 8)
    checksum.add(at + FRAME_HEADER_BYTES, at + frameBytes)
    if (!checksum.stands(at + 16)) break
    // The last frame of a commit says how large the database is.
    if (bytes.readUInt32BE(at + 4) > 0) end = at + frameBytes
  }
  return { salts, end, frameBytes }
}

/** The checksum of a log, which runs from its beginning through all frames. */
class Checksum {
  readonly #view: DataView
  readonly #isLittleEndian: boolean
  #first = 0
  #second = 0

  constructor(bytes: Buffer) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#isLittleEndian = bytes.readUInt32BE(0) !== MAGIC_BIG_ENDIAN
  }

  add(from: number, to: number): void {
    const view = this.#view
    const isLittleEndian = this.#isLittleEndian
    let first = this.#first
    let second = this.#second
    for (let at = from; at < to; at += 8) {
      first = (first + view.getUint32(at, isLittleEndian) + second) >>> 0
      second = (second + view.getUint32(at + 4, isLittleEndian) + first) >>> 0
    }
    this.#first = first
    this.#second = second
  }

  stands(at: number): boolean {
    return this.#view.getUint32(at) === this.#first && this.#view.getUint32(at + 4) === this.#second
  }
}

/**
 * Where what has been moved into the database ends in a log, by the bytes of the log's index; 0 if nothing has. All of that is
 * synced. The index is memory that processes share, in the order of bytes of this machine.
 */
export function movedEnd(index: Buffer, log: Log): number {
  if (index.length < BACKFILLED_AT + 4) return 0
  const frames = endianness() === 'LE' ? index.readUInt32LE(BACKFILLED_AT) : index.readUInt32BE(BACKFILLED_AT)
  return frames === 0 ? 0 : HEADER_BYTES + frames * log.frameBytes
}

/**
 * The first bytes of a log, as a power failure leaves them. Where they end within a frame, the rest of that frame is either
 * missing or, if `length` is odd, garbage: the file has grown, but what should be there has not arrived.
 */
export function tornLog(bytes: Buffer, length: number, log: Log): Buffer {
  const into = length < HEADER_BYTES || log.frameBytes === 0 ? 0 : (length - HEADER_BYTES) % log.frameBytes
  if (into === 0 || length % 2 === 0) return bytes.subarray(0, length)
  const left = Buffer.alloc(length + log.frameBytes - into, 0xa5)
  bytes.copy(left, 0, 0, length)
  return left
}
