/** Those who read the lines of a stream while they are printed. Each has a queue of its own, and nobody waits for anybody. */

const LINES_MAX = 10_000
const LINE_LENGTH_MAX = 2 ** 20
/** In characters, of all lines that wait for one reader. */
const QUEUE_LENGTH_MAX = 2 ** 24

/** The lines of one stream. */
export class Lines {
  readonly #followers = new Set<Follower>()
  #begun = ''
  #end: { readonly error: Error | undefined } | undefined

  /** A reader of what comes from now on. `left` is called once when nothing more comes; not if that is so already. */
  follow(left: () => void): Follower {
    const follower = new Follower(() => {
      if (this.#followers.delete(follower)) left()
    })
    if (this.#end === undefined) this.#followers.add(follower)
    else follower.end(this.#end.error)
    return follower
  }

  /** Takes what was printed: whole characters. */
  push(bytes: Uint8Array): void {
    if (this.#followers.size === 0) {
      this.#begun = ''
      return
    }
    const parts = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8').split('\n')
    const last = parts.pop() ?? ''
    for (const part of parts) {
      this.#add(part)
      this.#tell(this.#begun.endsWith('\r') ? this.#begun.slice(0, -1) : this.#begun)
      this.#begun = ''
    }
    this.#add(last)
  }

  /** Nothing more comes. With an error, readers get it after the last line. */
  end(error: Error | undefined): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    if (this.#begun !== '') this.#tell(this.#begun)
    this.#begun = ''
    for (const follower of this.#followers) follower.end(error)
  }

  /** Adds to the line that has begun; one that is too long comes in pieces. */
  #add(text: string): void {
    this.#begun += text
    while (this.#begun.length > LINE_LENGTH_MAX) {
      const length = isHighSurrogate(this.#begun.charCodeAt(LINE_LENGTH_MAX - 1)) ? LINE_LENGTH_MAX - 1 : LINE_LENGTH_MAX
      this.#tell(this.#begun.slice(0, length))
      this.#begun = this.#begun.slice(length)
    }
  }

  #tell(line: string): void {
    for (const follower of this.#followers) follower.push(line)
  }
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd8_00 && unit <= 0xdb_ff
}

type Waiter = { readonly resolve: (result: IteratorResult<string, undefined>) => void; readonly reject: (error: Error) => void }

/** One reader. */
export class Follower implements AsyncIterableIterator<string, undefined> {
  readonly #leave: () => void
  #queue: string[] = []
  #first = 0
  #length = 0
  #lost = 0
  #waiters: Waiter[] = []
  #hasEnded = false
  #error: Error | undefined

  constructor(leave: () => void) {
    this.#leave = leave
  }

  /** Whether nothing more comes. */
  get hasEnded(): boolean {
    return this.#hasEnded
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<string, undefined>> {
    const value = this.#take()
    if (value !== undefined) return { done: false, value }
    if (!this.#hasEnded) return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
    const error = this.#error
    this.#error = undefined // It is thrown once; after that the iterator is at its end, like any other.
    if (error !== undefined) throw error
    return { done: true, value: undefined }
  }

  async return(): Promise<IteratorResult<string, undefined>> {
    this.cancel()
    return { done: true, value: undefined }
  }

  /** Takes a line. */
  push(line: string): void {
    if (this.#hasEnded) return
    const waiter = this.#waiters.shift()
    if (waiter !== undefined) {
      waiter.resolve({ done: false, value: line })
      return
    }
    this.#queue.push(line)
    this.#length += line.length
    while (this.#queue.length - this.#first > LINES_MAX || this.#length > QUEUE_LENGTH_MAX) {
      this.#shift()
      this.#lost += 1
    }
  }

  /** Nothing more comes. What waits can still be read. */
  end(error: Error | undefined): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#leave()
    this.#error = error
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) {
      if (this.#error === undefined) waiter.resolve({ done: true, value: undefined })
      else waiter.reject(this.#error)
      this.#error = undefined
    }
  }

  /** Ends at once; what waits is forgotten. */
  cancel(): void {
    this.end(undefined)
    this.#error = undefined
    this.#queue = []
    this.#first = 0
    this.#length = 0
    this.#lost = 0
  }

  #take(): string | undefined {
    if (this.#lost > 0) {
      const text = `[${this.#lost} lines were lost here: they came faster than they were read]`
      this.#lost = 0
      return text
    }
    return this.#shift()
  }

  #shift(): string | undefined {
    const line = this.#queue[this.#first]
    if (line === undefined) return undefined
    this.#queue[this.#first] = ''
    this.#first += 1
    this.#length -= line.length
    // Now and then, so that taking a line costs the same however many there are.
    if (this.#first >= LINES_MAX || this.#first === this.#queue.length) {
      this.#queue = this.#queue.slice(this.#first)
      this.#first = 0
    }
    return line
  }
}
