/** The signals of the process. The only place in the kernel that listens for one or sends one to itself. */
import type { Signals } from './seams.ts'

/** Signals as Node.js brings them. While anybody listens for one, it does not end the process by itself. */
export const nodeSignals: Signals = {
  on: (signal, listener) => {
    process.on(signal, listener)
    return () => void process.off(signal, listener)
  },
  isHeard: (signal) => process.listenerCount(signal) > 0,
  raise: (signal) => void process.kill(process.pid, signal),
}
