/**
 * Closing on a signal, for programs that ask for it.
 *
 * 1. The first signal closes the system politely, within the given time.
 * 2. Any further one closes it at once.
 * 3. Once it is closed, the signals are given back. If nobody else in the process has heard the one that came, it is sent
 *    again: the process ends as it would have without a system, so that whoever started it sees the usual exit status. A
 *    program that listens for it too decides itself how it ends.
 */
import type { EndSignal, Signals } from '../seams/seams.ts'

/** What closing on a signal needs. */
export interface SignalParts {
  readonly signals: Signals
  readonly names: readonly EndSignal[]
  /** Begins to close the system, or hastens the closing that is under way. Never rejects. */
  readonly close: (isFirst: boolean, signal: EndSignal) => Promise<unknown>
}

/** Closes on signals from now on. Answers a function that gives them back, to be called when the system is closed. */
export function closeOnSignals({ signals, names, close }: SignalParts): () => void {
  let taken: readonly (() => void)[] = []
  let count = 0
  const giveBack = (): void => {
    for (const release of taken) release()
    taken = []
  }
  const onSignal = (signal: EndSignal, isHeardByProgram: boolean): void => {
    count += 1
    const closed = close(count === 1, signal)
    // The first one says how the process ends.
    if (count > 1) return
    void closed.then(() => {
      // By now the system has given its signals back. Another system may still be closing: the last one sends it.
      if (!isHeardByProgram && !signals.isHeard(signal)) signals.raise(signal)
    })
  }
  taken = names.map((name) => signals.on(name, (isHeardByProgram) => onSignal(name, isHeardByProgram)))
  return giveBack
}
