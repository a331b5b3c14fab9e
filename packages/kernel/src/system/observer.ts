/**
 * Everything that shards and threads say of themselves arrives here, and goes on to those who watch: the tap, the health,
 * the log. Nothing depends on it: a system that nobody watches works the same.
 */
import { decodeError } from '../errors.ts'
import type { ShardState } from '../protocol/from-shard.ts'
import type { ShardTapEvent } from '../protocol/tap.ts'
import type { Clock, Diagnostics } from '../seams/seams.ts'
import { Health } from './health.ts'
import { errorField } from './logger.ts'
import type { Log } from './logger.ts'
import type { ShardClient, ShardObserver } from './shard-client.ts'
import { Tap } from './tap.ts'
import type { ThreadEvent } from './threads.ts'

/** What an observer is made of. */
export interface ObserverParts {
  readonly clock: Clock
  readonly diagnostics: Diagnostics | undefined
  readonly log: Log
  /** The clients of all shards. */
  readonly clients: () => readonly ShardClient[]
}

/** What is written about a thread, and how loudly. */
const THREAD_LINES = {
  'thread.died': ['warn', 'thread died'],
  'thread.hung': ['warn', 'thread hung'],
  'thread.restarted': ['info', 'thread restarted'],
  'thread.abandoned': ['error', 'thread abandoned'],
} as const

/** Watches one system. */
export class Observer {
  readonly tap: Tap
  readonly health: Health = new Health()
  readonly log: Log
  readonly #clock: Clock

  constructor({ clock, diagnostics, log, clients }: ObserverParts) {
    this.#clock = clock
    this.log = log
    this.tap = new Tap({
      clock,
      diagnostics,
      wish: (isRead) => {
        for (const client of clients()) client.setTapped(isRead)
      },
      listenerFailed: (error, times) => log.report(error, { where: 'a listener of the tap', times }),
    })
  }

  /** Hears one shard. */
  ofShard(shard: number): ShardObserver {
    return {
      started: () => {
        // Whatever was wrong was wrong with the life before.
        this.health.shardServes(shard)
        this.health.threadServes(shard)
        this.#tell(shard, { kind: 'shard.started' })
      },
      happened: (at, events) => this.tap.tell(shard, at, events),
      stateChanged: (state) => this.#stateChanged(shard, state),
      reported: (error) => this.log.report(error, { shard }),
    }
  }

  /** Something has happened to a thread. */
  threadMoved({ kind, shards, error, serving }: ThreadEvent): void {
    const [level, line] = THREAD_LINES[kind]
    const told = error === undefined ? {} : { error: errorField(error) }
    const where = serving === undefined ? {} : { serving }
    this.log[level](line, { shards, ...told, ...where })
    const now = this.#clock.wall()
    for (const shard of shards) {
      if (kind === 'thread.restarted') this.health.threadServes(shard)
      else this.health.threadIsGone(shard, told.error ?? { code: 'SHARD_CRASHED', message: line }, now)
      this.#tell(shard, { kind, ...told, ...where })
    }
  }

  #stateChanged(shard: number, state: ShardState): void {
    switch (state.kind) {
      case 'ready':
        if (!this.health.shardServes(shard)) return
        this.log.info('shard recovered', { shard })
        this.#tell(shard, { kind: 'shard.recovered' })
        return
      case 'reopened':
        // The client says that the shard has started.
        this.log.info('shard reopened', { shard })
        return
      case 'degraded':
      case 'stopped': {
        const error = errorField(decodeError(state.error))
        this.health.shardFails(shard, error, this.#clock.wall())
        this.log[state.kind === 'degraded' ? 'warn' : 'error'](`shard ${state.kind}`, { shard, error })
        this.#tell(shard, { kind: `shard.${state.kind}`, error })
      }
    }
  }

  #tell(shard: number, event: ShardTapEvent): void {
    if (this.tap.isRead) this.tap.tell(shard, this.#clock.wall(), [event])
  }
}
