/**
 * What a write-ahead log says of itself at its beginning. SQLite passes over one whose beginning it cannot read, and with it over
 * every commit in there; so whoever looks has to look at that, too.
 *
 * SQLite holds no lock on a WAL, so unlike the database itself it can be read with `fs` beside whoever has it open.
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { codeOf } from './fault.ts'

/** Bytes before the first frame of a WAL, and before the page in each frame. */
const HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24

/** The two magic numbers that a WAL can begin with, and what one begins with whose first write did not reach the disk. */
const magics: ReadonlySet<number> = new Set([0x377f0682, 0x377f0683, 0])

/** What is to be seen of a WAL without reading it. */
export interface Wal {
  /** 0 if there is none. */
  readonly bytes: number
  /** Whether it begins like one. */
  readonly isWal: boolean
  /** Whether it ends in the middle of a frame. */
  readonly isTorn: boolean
}

/** Looks at the WAL of a database. Throws the errors of Node as they are. */
export function lookAtWal(file: string): Wal {
  const bytes = statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0
  if (bytes < 4) return { bytes, isWal: true, isTorn: bytes > 0 }
  const start = beginningOf(`${file}-wal`)
  const page = start.length < HEADER_BYTES ? 0 : start.readUInt32BE(8)
  const isTorn = page > 0 && (bytes - HEADER_BYTES) % (page + FRAME_HEADER_BYTES) !== 0
  return { bytes, isWal: start.length < 4 || magics.has(start.readUInt32BE(0)), isTorn }
}

/** Empty if the WAL has just gone. */
function beginningOf(wal: string): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  let descriptor: number
  try {
    descriptor = openSync(wal, 'r')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return bytes.subarray(0, 0)
    throw error
  }
  try {
    return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, 0))
  } finally {
    closeSync(descriptor)
  }
}
