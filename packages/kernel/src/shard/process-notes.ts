/** Notes on owned processes, as rows of the shard's batches. */
import { SystemClosed } from '../errors.ts'
import type { ProcessJournal } from '../processes/parts.ts'
import type { ShardCore } from './core.ts'

/** The journal of a shard's processes. */
export class ProcessNotes implements ProcessJournal {
  readonly #core: ShardCore
  #isClosed = false

  constructor(core: ShardCore) {
    this.#core = core
  }

  begin(detail: string): Promise<number> {
    const core = this.#core
    if (this.#isClosed) return Promise.reject(new SystemClosed(false))
    const sequence = core.takeSequence()
    core.batch.processes.push({ sequence, detail })
    core.wake()
    return new Promise((resolve, reject) => {
      core.batch.processNotes.push({ sequence, done: (error) => (error === undefined ? resolve(sequence) : reject(error)) })
    })
  }

  /** Nothing is begun any more: whoever waits for a note hears that the system closes. */
  close(): void {
    this.#isClosed = true
    for (const { done } of this.#core.batch.processNotes.splice(0)) done(new SystemClosed(false))
  }

  update(sequence: number, detail: string): void {
    this.#core.batch.processes.push({ sequence, detail })
    this.#core.wake()
  }

  end(sequence: number): void {
    this.#core.batch.processesEnded.push(sequence)
    this.#core.wake()
  }
}
