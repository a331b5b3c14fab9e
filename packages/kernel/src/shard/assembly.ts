/**
 * Puts the shards of one thread together, from parts that the thread brings, and opens one again that had to stop because of
 * its disk. The same for a worker and for a test.
 *
 * After an I/O error, or when its files are gone, a shard knows no more what is on the disk. It stops, and a new one takes
 * its place on the same connection, which reads what is there: at once, and then less and less often, until that works.
 */
import { dirname, isAbsolute, join } from 'node:path'
import { StoreDamaged, StoreUnavailable } from '@bailiwick/store'
import type { ShardLocation } from '@bailiwick/store'
import type { ActorDefinition } from '../definition/define-actor.ts'
import type { EffectDefinition } from '../definition/define-effect.ts'
import type { Supervision } from '../definition/supervision.ts'
import { asError, encodeError } from '../errors.ts'
import { encodeFromShard, FromShard } from '../protocol/from-shard.ts'
import type { Accused, Children, Clock, Poison, Random, Scheduler, Stores, Timer, Transport, TurnPlaces } from '../seams/seams.ts'
import { Gauge } from './gauges.ts'
import type { ShardLimits } from './limits.ts'
import { Shard } from './shard.ts'

const REOPEN_MS_MIN = 100
const REOPEN_MS_MAX = 10_000

/** One shard's place: where its data lies, how it is reached, where it counts. */
export interface ShardPlace {
  readonly location: ShardLocation
  readonly transport: Transport
  readonly gauges: Float64Array
}

/** What the shards of a thread share. */
export interface ThreadParts {
  readonly definitions: readonly ActorDefinition[]
  readonly effects: readonly EffectDefinition[]
  readonly shardCount: number
  readonly random: Random
  readonly limits: ShardLimits
  /** What counts for actors whose definition says nothing else. */
  readonly supervision: Supervision
  readonly poison: readonly Poison[]
  readonly accused: Accused | undefined
  readonly isCareful: boolean
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly stores: Pick<Stores, 'openShard'>
  readonly report: (error: unknown) => void
  readonly turnPlaces: TurnPlaces
  readonly children: Children
}

/** A shard that is served, by whichever shard object does so at present. */
export interface ServedShard {
  /** Stops at once and forgets everything that is not committed, as a crash would. */
  kill(): void
}

/** Opens and recovers the shards of one thread. Rejects, with every store closed again, if one cannot be recovered. */
export async function openShards(places: readonly ShardPlace[], parts: ThreadParts): Promise<readonly ServedShard[]> {
  const seats = places.map((place) => new Seat(place, parts))
  try {
    for (const seat of seats) seat.open()
    for (const seat of seats) await seat.recover()
    return seats
  } catch (error) {
    for (const seat of seats) seat.kill()
    throw error
  }
}

/** The place of one shard. */
class Seat implements ServedShard {
  readonly #place: ShardPlace
  readonly #parts: ThreadParts
  #shard: Shard | undefined
  #retry: Timer | undefined
  #waitMs = REOPEN_MS_MIN
  #isKilled = false
  #said: string | undefined

  constructor(place: ShardPlace, parts: ThreadParts) {
    this.#place = place
    this.#parts = parts
  }

  open(isReopened = false): void {
    const { location, transport, gauges } = this.#place
    const parts = this.#parts
    const { index, file } = location
    const store = parts.stores.openShard(location)
    // What is there now is counted anew.
    if (isReopened) gauges[Gauge.stranded] = 0
    // A store that is no file has no place beside it.
    const logFolder = isAbsolute(file) ? join(dirname(file), 'logs', `shard-${index}`) : undefined
    const onStopped = (error: Error): void => this.#stopped(error)
    this.#shard = new Shard({ ...parts, store, transport, gauges, index, logFolder, isReopened, onStopped })
  }

  async recover(): Promise<void> {
    await this.#shard?.recover()
  }

  kill(): void {
    this.#isKilled = true
    this.#retry?.cancel()
    this.#shard?.kill()
  }

  #stopped(error: Error): void {
    if (this.#isKilled) return
    const isPassing = error instanceof StoreUnavailable
    this.#say(isPassing ? 'degraded' : 'stopped', error)
    if (isPassing) this.#openLater()
  }

  #openLater(): void {
    this.#retry = this.#parts.clock.setTimer(() => void this.#openAgain(), this.#waitMs)
    this.#waitMs = Math.min(REOPEN_MS_MAX, this.#waitMs * 2)
  }

  async #openAgain(): Promise<void> {
    // Whoever was given up meanwhile must not take the shard from the one that serves it now.
    if (this.#place.transport.isClosed) {
      this.kill()
      return
    }
    // It goes on refusing what comes until another one listens in its place.
    const before = this.#shard
    try {
      before?.retire()
      this.open(true)
      await this.recover()
      before?.kill()
      this.#waitMs = REOPEN_MS_MIN
      this.#said = undefined
    } catch (error) {
      if (this.#shard !== before) this.#shard?.kill()
      this.#shard = before
      this.#say('degraded', passingOf(asError(error)))
      if (!this.#isKilled) this.#openLater()
    }
  }

  /** Says how the shard is, unless that is what was said last. */
  #say(kind: 'degraded' | 'stopped', error: Error): void {
    if (this.#said === error.message) return
    this.#said = error.message
    this.#place.transport.send(encodeFromShard([[FromShard.state, 0, { kind, error: encodeError(error) }]]))
  }
}

/** A file that is not there now may come back: it is missing, not damaged. */
function passingOf(error: Error): Error {
  return error instanceof StoreDamaged && error.message.includes('it is missing') ? new StoreUnavailable('missing', error.message) : error
}
