/** One stream of a process: counted, blotted, kept in bounds, written to files, and read by followers. */
import type { StreamResult } from '../definition/process.ts'
import { ChunkFiles } from './chunk-files.ts'
import { Lines } from './followers.ts'
import type { Follower } from './followers.ts'
import { Quota } from './quota.ts'
import { Redactor } from './secrets.ts'
import type { Piece } from './secrets.ts'
import type { Limits } from './spec.ts'
import { Aligner } from './whole-characters.ts'

/** What a stream needs. */
export interface StreamParts {
  readonly name: 'stdout' | 'stderr'
  readonly secrets: readonly string[]
  readonly limits: Limits
  /** Makes the folder of the process, at the first output; `undefined` if nothing is to be written. */
  readonly folder: (() => string) | undefined
  /** The disk is full, or something else stands in the way of writing. */
  readonly failed: (error: unknown) => void
}

/** One stream. */
export class ProcessStream {
  readonly #redactor: Redactor
  readonly #aligner = new Aligner()
  readonly #lines = new Lines()
  readonly #text: TextKeeper
  readonly #log: LogKeeper | undefined
  #bytes = 0
  #hasEnded = false

  constructor(parts: StreamParts) {
    this.#redactor = new Redactor(parts.secrets)
    this.#text = new TextKeeper(parts.limits.outputBytes)
    this.#log = parts.folder === undefined || parts.limits.logBytes === 0 ? undefined : new LogKeeper(parts, parts.folder)
  }

  /** Takes what was printed. */
  push(bytes: Uint8Array): void {
    if (this.#hasEnded) return
    this.#bytes += bytes.length
    for (const piece of this.#redactor.push(bytes)) for (const each of this.#aligner.push(piece)) this.#keep(each)
  }

  /** Nothing more comes. Followers get the error after the last line. */
  end(error: Error | undefined): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    for (const piece of this.#redactor.end()) for (const each of this.#aligner.push(piece)) this.#keep(each)
    for (const each of this.#aligner.end()) this.#keep(each)
    this.#lines.end(error)
    this.#log?.close()
  }

  follow(left: () => void): Follower {
    return this.#lines.follow(left)
  }

  /** What it came to, once its files have their final names. */
  async result(): Promise<StreamResult> {
    const files = (await this.#log?.files()) ?? []
    const droppedBytes = this.#bytes - this.#text.kept
    return { text: this.#text.text(droppedBytes), bytes: this.#bytes, droppedBytes, isTruncated: droppedBytes > 0, files }
  }

  #keep(piece: Piece): void {
    this.#text.push(piece)
    this.#log?.push(piece)
    if (piece.bytes.length > 0) this.#lines.push(piece.bytes)
  }
}

/** The beginning of a stream, in memory. */
class TextKeeper {
  readonly #quota: Quota
  #buffer: Buffer = Buffer.alloc(0)
  #length = 0

  constructor(limit: number) {
    this.#quota = new Quota(limit)
  }

  get kept(): number {
    return this.#quota.kept
  }

  push(piece: Piece): void {
    const bytes = this.#quota.take(piece)
    if (bytes.length === 0) return
    if (this.#length + bytes.length > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(this.#buffer.length * 2, this.#length + bytes.length))
      this.#buffer.copy(larger, 0, 0, this.#length)
      this.#buffer = larger
    }
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
  }

  text(dropped: number): string {
    const text = this.#buffer.toString('utf8', 0, this.#length)
    return dropped === 0 ? text : text + this.#quota.notice(`\n[truncated: ${dropped} more bytes were printed]\n`)
  }
}

/** The beginning of a stream, on disk. */
class LogKeeper {
  readonly #quota: Quota
  readonly #files: ChunkFiles
  readonly #limit: number
  readonly #failed: (error: unknown) => void
  #isOver = false

  constructor({ name, limits, failed }: StreamParts, folder: () => string) {
    this.#quota = new Quota(limits.logBytes)
    this.#limit = limits.logBytes
    this.#files = new ChunkFiles(folder, name, limits.chunkBytes, failed)
    this.#failed = failed
  }

  push(piece: Piece): void {
    if (this.#isOver) return
    const bytes = this.#quota.take(piece)
    this.#attempt(() => {
      this.#files.write(bytes)
      if (!this.#quota.isFull) return
      // Now, and not at the end: a reader of the file is not to wait, and the end may never be seen.
      this.#isOver = true
      this.#files.write(
        Buffer.from(this.#quota.notice(`\n[truncated: the limit of ${this.#limit} bytes is reached, the rest is not kept]\n`)),
      )
      this.#files.close()
    })
  }

  close(): void {
    this.#isOver = true
    this.#attempt(() => this.#files.close())
  }

  files(): Promise<readonly string[]> {
    return this.#files.files()
  }

  #attempt(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#isOver = true
      this.#failed(error)
    }
  }
}
