/** Where turns run that do not run in the shard's thread: on a pool of threads, or each in a process of its own. */
import type { TurnPlaces } from './seams.ts'
import { TurnPool } from './turn-pool.ts'
import type { TurnPoolOptions } from './turn-pool.ts'
import { TurnProcesses } from './turn-process.ts'

/** The real places. Nothing is started before the first turn that needs it. */
export function nodeTurnPlaces(options: TurnPoolOptions): TurnPlaces {
  const pool = new TurnPool(options)
  const processes = new TurnProcesses()
  return {
    run: async (place, context, kill, fork) =>
      await (place.on === 'pool' ? pool.run(place, context, kill) : processes.run(place, context, kill, fork)),
    close: async () => {
      await Promise.all([pool.close(), processes.close()])
    },
  }
}
