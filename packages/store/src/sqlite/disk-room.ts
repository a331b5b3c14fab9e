/**
 * Whether a write-ahead log is about to take the last room of its disk.
 *
 * A log that has grown while its file did not can be moved into the file only if there is room for what the file has to grow. Once the
 * disk is full to the brim there is none, and the log would take it up for ever. So the room is looked at before that.
 */
import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'

/** So much room is left for files to grow; with less, a log is kept short, which costs some of the speed. */
const RESERVED_BYTES = 4 * 1_024 * 1_024

/** After so much growth of a log it is worth looking again. A look costs about as much as one at a file. */
const STEP_BYTES = 256 * 1_024

/** The room that the log of one shard has. */
export class DiskRoom {
  readonly #directory: string
  /** Size of the log when the room was looked at last. */
  #seenBytes = 0

  constructor(file: string) {
    this.#directory = dirname(file)
  }

  /** Whether the log, which has this size now, should be moved into the file before it grows any more. */
  isScarce(walBytes: number): boolean {
    if (walBytes < this.#seenBytes) this.#seenBytes = 0
    if (walBytes - this.#seenBytes < STEP_BYTES) return false
    this.#seenBytes = walBytes
    try {
      const { bavail, bsize } = statfsSync(this.#directory)
      return bavail * bsize < RESERVED_BYTES
    } catch {
      // A disk that says nothing of its room is used as if there were enough: if not, a commit will say so.
      return false
    }
  }
}
