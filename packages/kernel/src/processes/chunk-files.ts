/** One stream of a process on disk: numbered files of a bounded size, each compressed once it is full. */
import { closeSync, createReadStream, createWriteStream, openSync, writeSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { wholeCharacters } from './whole-characters.ts'

/** Files of one stream. What goes wrong is thrown by `write`, and told to `report` where nobody waits. */
export class ChunkFiles {
  readonly #folder: () => string
  readonly #stream: string
  readonly #chunkBytes: number
  readonly #report: (error: unknown) => void
  readonly #files: string[] = []
  #descriptor: number | undefined
  #size = 0
  #packing: Promise<void> = Promise.resolve()

  constructor(folder: () => string, stream: string, chunkBytes: number, report: (error: unknown) => void) {
    this.#folder = folder
    this.#stream = stream
    this.#chunkBytes = chunkBytes
    this.#report = report
  }

  /** Writes, beginning new files where one is full. */
  write(bytes: Uint8Array): void {
    for (let rest = bytes; rest.length > 0;) {
      const length = wholeCharacters(rest, this.#chunkBytes - this.#size)
      if (length === 0) {
        this.#next()
        continue
      }
      writeWhole(this.#open(), rest.subarray(0, length))
      this.#size += length
      rest = rest.subarray(length)
    }
  }

  /** Closes the file that is being written. It is not compressed. */
  close(): void {
    if (this.#descriptor === undefined) return
    const descriptor = this.#descriptor
    this.#descriptor = undefined
    closeSync(descriptor)
  }

  /** The names, once nothing is being compressed any more. */
  async files(): Promise<readonly string[]> {
    await this.#packing
    return [...this.#files]
  }

  #open(): number {
    if (this.#descriptor === undefined) {
      const path = join(this.#folder(), `${this.#stream}.${String(this.#files.length + 1).padStart(4, '0')}.log`)
      this.#descriptor = openSync(path, 'wx', 0o600)
      this.#files.push(path)
    }
    return this.#descriptor
  }

  /** The file is full: it is closed and, one after the other, compressed. */
  #next(): void {
    this.close()
    this.#size = 0
    const index = this.#files.length - 1
    const path = this.#files[index]
    if (path === undefined) return
    this.#packing = this.#packing.then(async () => {
      try {
        this.#files[index] = await pack(path)
      } catch (error) {
        this.#report(error)
      }
    })
  }
}

/** Replaces a file by its compressed form, which appears under its name only when it is whole. */
async function pack(path: string): Promise<string> {
  const packed = `${path}.gz`
  const part = `${packed}.part`
  try {
    await pipeline(createReadStream(path), createGzip(), createWriteStream(part, { flags: 'wx', mode: 0o600 }))
    await rename(part, packed)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
  await rm(path)
  return packed
}

function writeWhole(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done, bytes.length - done)
}
