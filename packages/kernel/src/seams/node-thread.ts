/** The real shard thread: a worker of its own for as long as the system is open. */
import { MessageChannel, Worker } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { fingerprintOf } from '../definition/define-actor.ts'
import { fingerprintOfEffect } from '../definition/define-effect.ts'
import { decodeError, DefinitionNotLoaded, messageOf, ShardCrashed } from '../errors.ts'
import { GAUGE_COUNT } from '../shard/gauges.ts'
import { portTransport } from './port-transport.ts'
import type { LoadedModule, ShardThread, ThreadEnd, ThreadPlan, Transport } from './seams.ts'
import type { ThreadMessage, ThreadStart } from './thread-messages.ts'

/** The entry is TypeScript in the repository and JavaScript in a package, like this file. */
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './shard-thread.ts' : './shard-thread.js', import.meta.url)

/** With this code Node.js ends a thread that has nothing to do but to wait for a module that waits for ever. */
const UNSETTLED_AWAIT = 13

/** Starts a worker that serves the shards of a plan. */
export function startNodeThread(plan: ThreadPlan): ShardThread {
  const channels = plan.shards.map((location) => ({
    location,
    channel: new MessageChannel(),
    urgent: new MessageChannel(),
    sent: new SharedArrayBuffer(Uint32Array.BYTES_PER_ELEMENT),
    gauges: new SharedArrayBuffer(GAUGE_COUNT * Float64Array.BYTES_PER_ELEMENT),
  }))
  const start: ThreadStart = {
    places: channels.map(({ location, channel, urgent, sent, gauges }) => ({
      location,
      ports: { port: channel.port2, urgent: urgent.port2, sent },
      gauges,
    })),
    definitions: plan.definitions.map((definition) => ({
      type: definition.type,
      module: definition.module,
      fingerprint: fingerprintOf(definition),
    })),
    effects: plan.effects.map((effect) => ({ type: effect.name, module: effect.module, fingerprint: fingerprintOfEffect(effect) })),
    shardCount: plan.shardCount,
    limits: plan.limits,
    supervision: plan.supervision,
    poison: plan.poison,
    accused: plan.accused,
    isCareful: plan.isCareful,
    beat: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
    beatMs: plan.beatMs,
  }
  const ports: MessagePort[] = channels.flatMap(({ channel, urgent }) => [channel.port2, urgent.port2])
  const worker = new Worker(ENTRY, {
    workerData: start,
    transferList: ports,
    name: 'bailiwick-shard',
    resourceLimits: { maxOldGenerationSizeMb: plan.limits.heapMb },
  })
  return new NodeThread(
    worker,
    new Int32Array(start.beat),
    channels.map(({ channel, urgent, sent }) => portTransport({ port: channel.port1, urgent: urgent.port1, sent })),
    channels.map(({ gauges }) => new Float64Array(gauges)),
  )
}

class NodeThread implements ShardThread {
  readonly transports: readonly Transport[]
  readonly gauges: readonly Float64Array[]
  readonly ready: Promise<void>
  readonly ended: Promise<ThreadEnd | undefined>
  readonly #worker: Worker
  readonly #beat: Int32Array
  #loading: LoadedModule | undefined
  #isTerminated = false

  constructor(worker: Worker, beat: Int32Array, transports: readonly Transport[], gauges: readonly Float64Array[]) {
    this.#worker = worker
    this.#beat = beat
    this.transports = transports
    this.gauges = gauges
    this.ended = this.#untilEnd()
    const ready = Promise.withResolvers<undefined>()
    worker.on('message', (message: unknown) => {
      // Code of an actor can post to this port too.
      if (!isThreadMessage(message)) return
      this.#loading = message.tag === 'loading' ? message.module : undefined
      if (message.tag === 'ready') ready.resolve(undefined)
      if (message.tag === 'failed') ready.reject(decodeError(message.error))
    })
    void this.ended.then((end) => ready.reject(this.#startFailure(end)))
    this.ready = ready.promise
    // Whoever waits for `ready` hears of a failure; afterwards `ended` tells.
    this.ready.catch(() => undefined)
  }

  get loading(): LoadedModule | undefined {
    return this.#loading
  }

  beat(): number {
    return Atomics.load(this.#beat, 0)
  }

  async terminate(): Promise<void> {
    this.#isTerminated = true
    for (const transport of this.transports) transport.close()
    await this.#worker.terminate()
  }

  #untilEnd(): Promise<ThreadEnd | undefined> {
    const worker = this.#worker
    let reason: Error | undefined
    return new Promise((resolve) => {
      worker.on('error', (error: unknown) => {
        reason = errorOf(error)
      })
      worker.on('messageerror', (error) => {
        reason = new Error('what it said could not be read', { cause: error })
        void worker.terminate()
      })
      worker.on('exit', (code) => {
        if (this.#isTerminated) resolve(undefined)
        else if (reason === undefined) resolve({ how: 'exited', error: new ThreadExited(code) })
        else resolve({ how: 'failed', error: reason })
      })
    })
  }

  /** Why a thread that has ended did not start. */
  #startFailure(end: ThreadEnd | undefined): Error {
    const error = end?.error ?? new Error('it was ended while it started')
    if (this.#loading === undefined) return new ShardCrashed(error.message, false, { cause: error })
    const isWaiting = error instanceof ThreadExited && error.code === UNSETTLED_AWAIT
    const detail = isWaiting ? 'its top-level await never ends' : `while it was loaded, the thread ended: ${error.message}`
    return new DefinitionNotLoaded(this.#loading.type, this.#loading.module, detail, { cause: error })
  }
}

/** The thread has left by itself. */
class ThreadExited extends Error {
  readonly code: number

  constructor(code: number) {
    super(`it exited with code ${code}`)
    this.code = code
  }
}

/** What a thread has died of. Anything can be thrown, and what cannot be sent from thread to thread arrives as something else. */
function errorOf(error: unknown): Error {
  if (error instanceof Error) return error
  return new Error(`it threw ${messageOf(error)}, which is no error`)
}

function isThreadMessage(message: unknown): message is ThreadMessage {
  if (typeof message !== 'object' || message === null || !('tag' in message)) return false
  return message.tag === 'loading' || message.tag === 'loaded' || message.tag === 'ready' || message.tag === 'failed'
}
