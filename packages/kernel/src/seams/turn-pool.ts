/**
 * Turns on threads of a pool, which piscina keeps: created at the first turn, one turn at a time on each, gone when idle.
 *
 * Turns that find no thread free wait here and not in piscina, whose queue would stand still once the last thread was
 * removed by force. The queue needs no bound of its own: an actor has at most one turn running, and the commands behind
 * it are bounded by its mailbox.
 *
 * A thread's heap is bounded, so a turn that fills it loses its thread, and nobody else does. Two things no thread can be
 * kept from: what lies outside of the heap, as buffers do, is not bounded; and V8 ends the whole process where one large object
 * does not fit into a heap that is nearly full. A turn that may do either belongs in a process of its own.
 */
import { receiveMessageOnPort } from 'node:worker_threads'
import type { MessagePort, Worker } from 'node:worker_threads'
import { fileURLToPath } from 'node:url'
import type { Piscina } from 'piscina'
import type { AnyTurnContext } from '../definition/turn-context.ts'
import { messageOf, ProcessLost } from '../errors.ts'
import type { TurnPlace } from './seams.ts'
import { isTurnEnd, nameOfActor, TurnControl } from './turn-messages.ts'
import type { FromTurn, ToTurn } from './turn-messages.ts'
import type { TurnTask } from './turn-pool-worker.ts'
import { TurnShardEnd } from './turn-shard-end.ts'

/** The entry is TypeScript in the repository and JavaScript in a package, like this file. */
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './turn-pool-worker.ts' : './turn-pool-worker.js', import.meta.url)

/** A thread that had no turn for so long leaves. */
const IDLE_MS = 10_000

/** How large the heap of a thread may grow, in MiB. */
const HEAP_MB = 512

/** Piscina derives its type from the wrong overload of `postMessage`; what it takes is an array. */
type TransferList = NonNullable<NonNullable<Parameters<Piscina['run']>[1]>['transferList']>

/** How many threads there may be, and how large each may become. */
export interface TurnPoolOptions {
  /** A whole number from 1. */
  readonly poolThreads: number
  /** Bound of the heap of each thread, in MiB. Default 512. */
  readonly poolHeapMb?: number
}

/** A pool of threads for turns. */
export class TurnPool {
  readonly #options: TurnPoolOptions
  readonly #turns = new Set<PoolTurn>()
  readonly #waiting = new Set<PoolTurn>()
  readonly #threads = new Map<Worker, Promise<void>>()
  #piscina: Promise<Piscina<TurnTask, void>> | undefined
  #running = 0
  #isClosed = false

  constructor(options: TurnPoolOptions) {
    this.#options = options
  }

  /** As `TurnPlaces.run`. What `kill` gives as its reason is what a turn that is ended by force rejects with. */
  async run(place: TurnPlace, context: AnyTurnContext, kill: AbortSignal): Promise<unknown> {
    kill.throwIfAborted()
    context.signal.throwIfAborted()
    if (this.#isClosed) throw closed()
    const turn = new PoolTurn(place, context)
    const end = (): void => turn.end.fail(kill.reason)
    kill.addEventListener('abort', end)
    this.#turns.add(turn)
    this.#waiting.add(turn)
    this.#fill()
    try {
      return await turn.end.outcome
    } finally {
      kill.removeEventListener('abort', end)
      this.#turns.delete(turn)
      this.#waiting.delete(turn)
      turn.leave()
    }
  }

  /** Ends all threads, whatever they are doing. Resolves when they are gone. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const turn of this.#turns) turn.end.fail(closed())
    const piscina = await this.#piscina?.catch(() => undefined)
    if (piscina === undefined) return
    this.#watchThreads(piscina)
    await piscina.destroy()
    // Also those that were removed by force before, and are perhaps still ending.
    await Promise.all(this.#threads.values())
  }

  #fill(): void {
    for (const turn of this.#waiting) {
      if (this.#running >= this.#options.poolThreads) return
      this.#waiting.delete(turn)
      this.#running += 1
      void this.#drive(turn)
    }
  }

  async #drive(turn: PoolTurn): Promise<void> {
    try {
      this.#piscina ??= this.#open()
      const piscina = await this.#piscina
      if (turn.end.isOver || this.#isClosed) return
      const ended = piscina.run(turn.task, { transferList: [turn.task.port] as unknown as TransferList, signal: turn.removal.signal })
      this.#watchThreads(piscina)
      await ended
    } catch (error) {
      turn.lost(messageOf(error).replace(/^worker exited with code: /, 'it exited with code '))
    } finally {
      this.#running -= 1
      this.#fill()
    }
  }

  async #open(): Promise<Piscina<TurnTask, void>> {
    const { Piscina: Pool } = await import('piscina')
    const pool = new Pool<TurnTask, void>({
      filename: fileURLToPath(ENTRY),
      name: 'runTurn',
      minThreads: 0,
      maxThreads: this.#options.poolThreads,
      concurrentTasksPerWorker: 1,
      idleTimeout: IDLE_MS,
      resourceLimits: { maxOldGenerationSizeMb: this.#options.poolHeapMb ?? HEAP_MB },
      // A thread that waits for its next turn goes on with its event loop: what a turn has left behind ends before, not during, the next.
      atomics: 'disabled',
      recordTiming: false,
    })
    // A thread that dies without a turn concerns nobody, unless it was to get one: see below.
    pool.on('error', () => undefined)
    return pool
  }

  /** Piscina forgets threads that it removes, and a turn for a thread that dies as it starts: both are remembered here. */
  #watchThreads(piscina: Piscina<TurnTask, void>): void {
    for (const thread of piscina.threads) {
      if (this.#threads.has(thread)) continue
      let reason = ''
      thread.once('error', (error: unknown) => {
        reason = messageOf(error)
      })
      const gone = new Promise<void>((resolve) => {
        thread.once('exit', (code) => {
          this.#threads.delete(thread)
          if (piscina.threads.length === 0) this.#abandon(reason === '' ? `it exited with code ${code}` : reason)
          resolve()
        })
      })
      this.#threads.set(thread, gone)
    }
  }

  /** No thread is left: whoever was to get one and has not begun never will. */
  #abandon(reason: string): void {
    for (const turn of this.#turns) if (!this.#waiting.has(turn) && turn.isWaiting) turn.lost(reason)
  }
}

/** A turn of the pool, from the moment that it waits for a thread. */
class PoolTurn {
  readonly end: TurnShardEnd
  readonly task: TurnTask
  /** Removes the thread that it is on, or takes it out of piscina's queue. */
  readonly removal = new AbortController()
  readonly #port: MessagePort
  readonly #control = new TurnControl()
  readonly #name: string
  #isForced = true

  constructor(place: TurnPlace, context: AnyTurnContext) {
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    this.#name = `The thread of ${nameOfActor(place.type, context.key)}`
    this.end = new TurnShardEnd(place, context, (message) => this.#post(message))
    this.task = { start: this.end.start, port: port2, control: this.#control.buffer }
    port1.on('message', (message: FromTurn) => this.#take(message))
  }

  get isWaiting(): boolean {
    return this.#control.isWaiting
  }

  /** Its thread is gone. What it has said before counts. */
  lost(reason: string): void {
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port)) {
      this.#take(next.message as FromTurn) // Posted by the far end.
    }
    this.end.fail(new ProcessLost(this.#name, reason))
  }

  /** Leaves its thread: to the next turn if it has reported its end, else to nobody. */
  leave(): void {
    this.#port.close()
    if (this.#isForced) this.removal.abort()
  }

  #take(message: FromTurn): void {
    if (isTurnEnd(message) && message.tag !== 'dropped') this.#isForced = false
    this.end.take(message)
  }

  #post(message: ToTurn): void {
    if (this.#control.note(message)) this.end.take({ tag: 'dropped' })
    else this.#port.postMessage(message)
  }
}

function closed(): ProcessLost {
  return new ProcessLost('The pool of threads', 'it was closed')
}
