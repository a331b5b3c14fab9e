/** What owned processes are made of: given once, shared by all. */
import type { Children, Clock } from '../seams/seams.ts'

/** Durable notes on processes, so that their remains are found after a crash at any moment. */
export interface ProcessJournal {
  /** Resolves with the row's number once it is durable: only then a process is started. */
  begin(detail: string): Promise<number>
  /** Replaces the note. Need not be durable at once. */
  update(sequence: number, detail: string): void
  /** Nothing is left of the process. */
  end(sequence: number): void
}

/** What the manager of a shard's processes is given. */
export interface ProcessParts {
  readonly clock: Clock
  readonly children: Children
  readonly journal: ProcessJournal
  /** Where output is kept, for this shard alone; `undefined` if nowhere. */
  readonly logFolder: string | undefined
  /** A text that nobody has had before. */
  readonly newMarker: () => string
  /** Takes what goes wrong where nobody waits. Must not throw. */
  readonly report: (error: unknown) => void
}
