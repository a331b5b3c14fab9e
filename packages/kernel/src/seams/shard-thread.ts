/** Entry of a shard thread: loads the definitions, opens the shards, and serves until it is told to close. */
// oxlint-disable-next-line import/no-unassigned-import -- it refuses an old Node.js before anything else is loaded.
import '../node-version.ts'
import { parentPort, workerData } from 'node:worker_threads'
import { encodeError } from '../errors.ts'
import { openShards } from '../shard/assembly.ts'
import { startHeartbeat } from './heartbeat.ts'
import { loadDefinitions, loadEffects } from './load-definitions.ts'
import { nodeChildren } from './node-children.ts'
import { nodeClock, nodeRandom, nodeScheduler } from './node-clock.ts'
import { nodeStores } from './node-stores.ts'
import { nodeTurnPlaces } from './node-turn-places.ts'
import { portTransport } from './port-transport.ts'
import type { LoadedModule } from './seams.ts'
import type { ThreadMessage, ThreadStart } from './thread-messages.ts'

const start = workerData as ThreadStart // Given by `startNodeThread` of the same version.

async function serve(): Promise<ThreadMessage> {
  try {
    const definitions = await loadDefinitions(start.definitions, sayLoading)
    const effects = await loadEffects(start.effects, sayLoading)
    say({ tag: 'loaded' })
    const places = start.places.map(({ location, ports, gauges }) => ({
      location,
      transport: portTransport(ports),
      gauges: new Float64Array(gauges),
    }))
    await openShards(places, {
      definitions,
      effects,
      shardCount: start.shardCount,
      random: nodeRandom,
      limits: start.limits,
      supervision: start.supervision,
      poison: start.poison,
      accused: start.accused,
      isCareful: start.isCareful,
      clock: nodeClock,
      scheduler: nodeScheduler,
      stores: nodeStores,
      turnPlaces: nodeTurnPlaces({ poolThreads: start.limits.poolThreads }),
      children: nodeChildren,
      // The shard tells the caller's thread, which knows the logger.
      report: () => undefined,
    })
    startHeartbeat(
      start.beat,
      start.beatMs,
      places.map(({ gauges }) => gauges),
      nodeClock,
    )
    return { tag: 'ready' }
  } catch (error) {
    return { tag: 'failed', error: encodeError(error) }
  }
}

function sayLoading(module: LoadedModule): void {
  say({ tag: 'loading', module })
}

function say(message: ThreadMessage): void {
  parentPort?.postMessage(message)
}

say(await serve())
