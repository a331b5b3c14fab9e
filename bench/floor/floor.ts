/** The callers' side of the floor: the same batching per turn of the event loop, a Map of pending promises, and nothing else. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** A bare loop on a thread. */
export class Floor {
  readonly #worker: Worker
  readonly #pending = new Map<number, (value: number) => void>()
  #outgoing: (readonly [number, number, number])[] = []
  #last = 0

  /** With a file it commits; without it works in memory. */
  constructor(file: string | undefined, actors: number) {
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { file, actors } })
    this.#worker.on('message', (text: string) => {
      for (const [call, value] of JSON.parse(text) as readonly (readonly [number, number])[]) {
        const resolve = this.#pending.get(call)
        this.#pending.delete(call)
        resolve?.(value)
      }
    })
  }

  /** One call and its answer. */
  ask(actor: number, amount: number): Promise<number> {
    return new Promise((resolve) => {
      this.#pending.set(this.#push(actor, amount), resolve)
    })
  }

  /** Many calls with one answer for all. */
  async tellMany(count: number): Promise<number> {
    for (let each = 0; each < count - 1; each += 1) this.#push(-1, 1)
    return await this.ask(-1, 1)
  }

  async close(): Promise<void> {
    const exited = once(this.#worker, 'exit')
    await this.#worker.terminate()
    await exited.catch(() => undefined)
  }

  #push(actor: number, amount: number): number {
    this.#last += 1
    this.#outgoing.push([this.#last, actor, amount])
    if (this.#outgoing.length === 1) {
      process.nextTick(() => {
        const text = JSON.stringify(this.#outgoing)
        this.#outgoing = []
        this.#worker.postMessage(text)
      })
    }
    return this.#last
  }
}
