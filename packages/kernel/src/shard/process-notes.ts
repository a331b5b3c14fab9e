/** Notes on owned processes, as rows of the shard's batches. */
import type { ProcessJournal } from '../processes/parts.ts'
import type { ShardCore } from './core.ts'

/** The journal of a shard's processes. */
export class ProcessNotes implements ProcessJournal {
  readonly #core: ShardCore

  constructor(core: ShardCore) {
    this.#core = core
  }

  begin(detail: string): Promise<number> {
    const core = this.#core
    const sequence = core.takeSequence()
    core.batch.processes.push({ sequence, detail })
    core.wake()
    return new Promise((resolve, reject) => {
      core.batch.processNotes.push({ sequence, done: (error) => (error === undefined ? resolve(sequence) : reject(error)) })
    })
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
