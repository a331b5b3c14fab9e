/**
 * One life of the simulated process: the system that is open, its threads, and what the kernel needs of the world. When it
 * ends, by force or not, nothing that it has begun goes on.
 */
import { openSystemOn, startInlineThread } from '@bailiwick/kernel/seams'
import type { Clock, InlineThread, Scheduler, Seams, ShardThread, ThreadPlan, Transport, TurnPlaces } from '@bailiwick/kernel/seams'
import type { Answer, Batch, CommitReport, ShardLocation, ShardStore } from '@bailiwick/store'
import type { ActorDefinition, OpenSystemOptions, System } from '@bailiwick/kernel'
import { laterStore } from '../later-store.ts'
import { noChildren } from './no-children.ts'
import type { Agenda, Lane, Owner } from './agenda.ts'
import type { SimulatedDisk } from './disks/disk.ts'
import { watchedStore } from './watched-store.ts'
import { wireBetween } from './wire.ts'
import type { WireEnd } from './wire.ts'

/** What a life needs of its world. */
export interface LifeParts {
  readonly agenda: Agenda
  readonly disk: SimulatedDisk
  readonly startAt: number
  /** What the machine's wall clock is ahead by. */
  readonly skew: { readonly ms: number }
  readonly random: () => number
  /** The definitions as the shards run them. */
  readonly definitions: readonly ActorDefinition[]
  readonly options: Omit<OpenSystemOptions, 'directory'>
  /** A shard is about to commit. */
  readonly commit: (
    shard: number,
    thread: LifeThread,
    epoch: number,
    batch: Batch,
    through: () => Answer<CommitReport>,
  ) => Answer<CommitReport>
  /** Whether stores answer with promises. */
  readonly isStoreLater: boolean
  /** A shard has to serve one of several actors next. */
  readonly pick: (addresses: readonly string[]) => number
  /** Something for a shard has left the caller. Answers what arrives at once. */
  /** Hears everything that is said between shards and callers. */
  readonly heard: ((text: string) => void) | undefined
  readonly sent: ((text: string, late: (text: string, ms: number) => void) => string | undefined) | undefined
  readonly report: (error: unknown) => void
}

/** A thread, and what can be done to it. */
export class LifeThread implements Owner {
  isDead = false
  /** It was given up while it stood still: it still runs, but nobody hears of it. */
  isLeftBehind = false
  /** What its wall clock is ahead by, in milliseconds. */
  readonly skew: { ms: number } = { ms: 0 }
  readonly serves: readonly number[]
  readonly lane: Lane
  inner: InlineThread | undefined
  /** The caller's end, and the lane in which answers wait, of each shard. */
  readonly wires: { readonly caller: WireEnd; readonly shard: WireEnd; readonly answers: Lane }[] = []
  /** Says that it hung. */
  giveUp: () => void = () => undefined

  constructor(serves: readonly number[], makeLane: (owner: Owner) => Lane) {
    this.serves = serves
    this.lane = makeLane(this)
  }
}

/** One life of the process. */
export class Life implements Owner {
  isDead = false
  readonly threads: LifeThread[] = []
  system: System | undefined
  readonly #parts: LifeParts
  readonly #lane: Lane
  readonly #waiting = new Set<(error: Error) => void>()

  constructor(parts: LifeParts) {
    this.#parts = parts
    this.#lane = parts.agenda.lane('process', 'process', this)
  }

  /** Opens the system. Rejects as `openSystem` does; never settles if the life ends meanwhile. */
  async open(): Promise<System> {
    const { options } = this.#parts
    const system = await openSystemOn(this.#seams(), { ...options, directory: 'simulated' })
    this.system = system
    return system
  }

  /** Ends the life as `kill -9` does. `torn` says how much of a write that is under way reaches the disk. */
  kill(error: Error, torn?: number): void {
    this.isDead = true
    this.#parts.disk.crash(torn)
    for (const thread of this.threads) this.#stop(thread)
    this.#parts.agenda.dropDead()
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const reject of waiting) reject(error)
  }

  /** Ends a thread. Its shards come back, in another one. */
  killThread(thread: LifeThread, reason: string, how: 'failed' | 'exited' = 'failed'): void {
    if (thread.isDead) return
    thread.isDead = true
    if (thread.isLeftBehind) void thread.inner?.terminate()
    else thread.inner?.crash(reason, how)
    this.#parts.agenda.dropDead()
  }

  /** A promise that also ends with this life. */
  survive<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject)
      promise.then(
        (value) => {
          if (this.#waiting.delete(reject)) resolve(value)
        },
        (error: unknown) => {
          if (this.#waiting.delete(reject)) reject(error instanceof Error ? error : new Error(String(error)))
        },
      )
    })
  }

  #stop(thread: LifeThread): void {
    thread.isDead = true
    void thread.inner?.terminate()
  }

  #clock(lane: Lane, thread?: LifeThread): Clock {
    const { agenda, skew, startAt } = this.#parts
    return {
      wall: () => startAt + agenda.now + skew.ms + (thread?.skew.ms ?? 0),
      elapsed: () => agenda.now,
      setTimer: (callback, delayMs) => agenda.setTimer(lane, callback, delayMs),
    }
  }

  #scheduler(lane: Lane): Scheduler {
    const { agenda, pick } = this.#parts
    return { soon: (callback) => agenda.post(lane, callback), afterTurn: (callback) => agenda.afterTurn(callback), pick }
  }

  #seams(): Seams {
    const { agenda, disk, random, startAt } = this.#parts
    return {
      clock: this.#clock(this.#lane),
      scheduler: this.#scheduler(this.#lane),
      random,
      stores: {
        openShard: (location) => disk.openShard(location),
        openDirectory: () => disk.openDirectory(() => startAt + agenda.now),
      },
      startThread: (plan) => this.#startThread(plan),
    }
  }

  #openShard(location: ShardLocation, thread: LifeThread): ShardStore {
    const { agenda, commit, disk, isStoreLater } = this.#parts
    const store = disk.openShard(location)
    const watched = watchedStore(store, (batch, through) => commit(location.index, thread, store.epoch, batch, through))
    if (!isStoreLater) return watched
    const lane = agenda.lane(`disk ${location.index}`, thread.lane.touches, thread)
    return laterStore(watched, () => new Promise((resolve) => agenda.post(lane, resolve)))
  }

  #startThread(plan: ThreadPlan): ShardThread {
    const { agenda, definitions, heard, random, report, sent } = this.#parts
    const serves = plan.shards.map(({ index }) => index)
    const name = `shard ${serves.join('+')}`
    const thread = new LifeThread(serves, (owner) => agenda.lane(name, name, owner))
    this.threads.push(thread)
    const connect = (shard: number): readonly [Transport, Transport] => {
      const answers = agenda.lane(`answers of ${shard}`, 'caller', thread)
      const [caller, end] = wireBetween(agenda, answers, thread.lane)
      if (sent !== undefined)
        caller.filter = (text) => sent(text, (late, ms) => void agenda.setTimer(thread.lane, () => end.arrive(late), ms))
      if (heard !== undefined)
        end.filter = (text) => {
          heard(text)
          return text
        }
      thread.wires.push({ caller, shard: end, answers })
      return [caller, end]
    }
    const clock = this.#clock(thread.lane, thread)
    const inner = startInlineThread(
      { ...plan, definitions },
      {
        clock,
        scheduler: this.#scheduler(thread.lane),
        random,
        stores: {
          openShard: (location) => this.#openShard(location, thread),
        },
        turnPlaces: localPlaces(definitions),
        children: noChildren,
        report,
        connect,
      },
    )
    thread.inner = inner
    const { promise: ended, resolve: end } = Promise.withResolvers<Awaited<ShardThread['ended']>>()
    void inner.ended.then(end)
    thread.giveUp = () => {
      if (thread.isDead || thread.isLeftBehind) return
      thread.isLeftBehind = true
      for (const { caller } of thread.wires) caller.close()
      end({ how: 'hung', error: new Error('it stood still for too long') })
    }
    return {
      transports: inner.transports,
      get gauges() {
        return inner.gauges
      },
      ready: inner.ready,
      ended,
      loading: undefined,
      beat: () => undefined,
      terminate: async () => {
        if (thread.isLeftBehind) return
        thread.isDead = true
        await inner.terminate()
      },
    }
  }
}

/** Every turn runs in the simulation's own thread: what computes must look at `interrupted()`. */
function localPlaces(definitions: readonly ActorDefinition[]): TurnPlaces {
  return {
    run: async ({ type, command }, context, kill) => {
      const run = definitions.find((definition) => definition.type === type)?.commands.get(command)?.turn?.run
      const killed = new Promise<never>((_resolve, reject) => {
        kill.addEventListener('abort', () => reject(new Error('It was ended by force.')), { once: true })
      })
      return await Promise.race([run?.(context), killed])
    },
    close: () => Promise.resolve(),
  }
}
