/** Puts the shards of one thread together, from parts that the thread brings. The same for a worker and for a test. */
import type { ActorDefinition } from '../definition/define-actor.ts'
import { dirname, isAbsolute, join } from 'node:path'
import type { Children, Clock, Random, Scheduler, Stores, Transport, TurnPlaces } from '../seams/seams.ts'
import type { EffectDefinition } from '../definition/define-effect.ts'
import type { ShardLocation } from '@bailiwick/store'
import type { ShardLimits } from './limits.ts'
import { Shard } from './shard.ts'

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
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly stores: Pick<Stores, 'openShard'>
  readonly report: (error: unknown) => void
  readonly turnPlaces: TurnPlaces
  readonly children: Children
}

/** Opens and recovers the shards of one thread. Rejects, with every store closed again, if one cannot be recovered. */
export async function openShards(places: readonly ShardPlace[], parts: ThreadParts): Promise<readonly Shard[]> {
  const shards: Shard[] = []
  try {
    for (const { location, transport, gauges } of places) {
      const store = parts.stores.openShard(location)
      const { index, file } = location
      // A store that is no file has no place beside it.
      const logFolder = isAbsolute(file) ? join(dirname(file), 'logs', `shard-${index}`) : undefined
      shards.push(new Shard({ ...parts, store, transport, gauges, index, logFolder }))
    }
    for (const shard of shards) await shard.recover()
    return shards
  } catch (error) {
    for (const shard of shards) shard.kill()
    throw error
  }
}
