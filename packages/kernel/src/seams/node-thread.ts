/** The real shard thread: a worker of its own for as long as the system is open. */
import { MessageChannel, Worker } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { fingerprintOf } from '../definition/define-actor.ts'
import { fingerprintOfEffect } from '../definition/define-effect.ts'
import { asError, decodeError, ShardCrashed } from '../errors.ts'
import { GAUGE_COUNT } from '../shard/gauges.ts'
import { portTransport } from './port-transport.ts'
import type { ShardThread, ThreadPlan, Transport } from './seams.ts'
import type { ThreadStart, ThreadStarted } from './thread-messages.ts'

/** The entry is TypeScript in the repository and JavaScript in a package, like this file. */
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './shard-thread.ts' : './shard-thread.js', import.meta.url)

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
  }
  const ports: MessagePort[] = channels.flatMap(({ channel, urgent }) => [channel.port2, urgent.port2])
  const worker = new Worker(ENTRY, { workerData: start, transferList: ports, name: 'bailiwick-shard' })
  return new NodeThread(
    worker,
    channels.map(({ channel, urgent, sent }) => portTransport({ port: channel.port1, urgent: urgent.port1, sent })),
    channels.map(({ gauges }) => new Float64Array(gauges)),
  )
}

class NodeThread implements ShardThread {
  readonly transports: readonly Transport[]
  readonly gauges: readonly Float64Array[]
  readonly ready: Promise<void>
  readonly ended: Promise<Error | undefined>
  readonly #worker: Worker
  #isTerminated = false

  constructor(worker: Worker, transports: readonly Transport[], gauges: readonly Float64Array[]) {
    this.#worker = worker
    this.transports = transports
    this.gauges = gauges
    let reason: Error | undefined
    this.ended = new Promise((resolve) => {
      worker.on('error', (error: unknown) => {
        reason = asError(error)
      })
      worker.on('exit', (code) => resolve(this.#isTerminated ? undefined : (reason ?? new Error(`it exited with code ${code}`))))
    })
    const started = new Promise<void>((resolve, reject) => {
      worker.once('message', (message: ThreadStarted) => (message.tag === 'ready' ? resolve() : reject(decodeError(message.error))))
    })
    const crashed = this.ended.then((error) => {
      throw new ShardCrashed(error?.message ?? 'it was ended while it started')
    })
    this.ready = Promise.race([started, crashed])
    // Whoever waits for `ready` hears of a failure; afterwards `ended` tells.
    this.ready.catch(() => undefined)
  }

  async terminate(): Promise<void> {
    this.#isTerminated = true
    for (const transport of this.transports) transport.close()
    await this.#worker.terminate()
  }
}
