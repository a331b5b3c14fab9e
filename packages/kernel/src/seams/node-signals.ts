/** The signals of the process. The only place in the kernel that listens for one or sends one to itself. */
import type { EndSignal, Signals } from './seams.ts'

/** How many listeners of this process are ours: several systems may be open. */
const own = new Map<EndSignal, number>()

/** Signals as Node.js brings them. While anybody listens for one, it does not end the process by itself. */
export const nodeSignals: Signals = {
  on: (signal, listener) => {
    const count = (change: number): number => {
      const counted = (own.get(signal) ?? 0) + change
      own.set(signal, counted)
      return counted
    }
    const heard = (): void => listener(process.listenerCount(signal) > count(0))
    count(1)
    // Before those that are there for once, so that they are still seen.
    process.prependListener(signal, heard)
    return () => {
      process.off(signal, heard)
      count(-1)
    }
  },
  isHeard: (signal) => process.listenerCount(signal) > 0,
  raise: (signal) => void process.kill(process.pid, signal),
}
