/** The processes of a shard: who owns them, which are alive, and what is left of those of an earlier owner. */
import { SystemClosed } from '../errors.ts'
import type { ChildNotes } from '../seams/seams.ts'
import { LogFolders } from './log-folder.ts'
import { OwnedProcess } from './owned-process.ts'
import type { Launch } from './owned-process.ts'
import type { ProcessParts } from './parts.ts'
import { ProcessScope } from './scope.ts'
import type { ScopeOwner } from './scope.ts'
import { Sessions } from './sessions.ts'

/** Owns every process of a shard. */
export class ProcessManager {
  readonly #parts: ProcessParts
  readonly #logs: LogFolders | undefined
  readonly #processes = new Set<OwnedProcess>()
  readonly #sessions: Sessions
  #isClosed = false

  constructor(parts: ProcessParts) {
    this.#parts = parts
    this.#sessions = new Sessions(parts.clock)
    this.#logs = parts.logFolder === undefined ? undefined : new LogFolders(parts.logFolder, parts.clock, parts.report)
  }

  /** How many groups are alive. */
  get running(): number {
    let count = 0
    for (const process of this.#processes) if (process.isAlive) count += 1
    return count
  }

  /** Ends what is left of processes of earlier owners. Their notes stay if that fails, which is reported. Never rejects. */
  async reap(rows: readonly { readonly sequence: number; readonly detail: string }[]): Promise<void> {
    try {
      await this.#parts.children.endRemains(rows.flatMap(({ detail }) => this.#notesIn(detail)))
      for (const { sequence } of rows) this.#parts.journal.end(sequence)
    } catch (error) {
      this.#parts.report(error)
    }
  }

  /**
   * What one stretch of a turn, or one attempt of an effect, is given. Once `gate` answers an error, every call rejects
   * with it. When `over` fires, everything that was started here is ended, apart from sessions. It has to fire when the
   * stretch is over in whatever way: sessions count as idle from then on.
   */
  scope(owner: ScopeOwner, gate: () => Error | undefined, over: AbortSignal): ProcessScope {
    return new ProcessScope({ make: (launch) => this.#make(launch), sessions: this.#sessions }, owner, gate, over)
  }

  /** Ends the sessions of an actor at once. */
  endSessions(address: string): void {
    this.#sessions.end(address)
  }

  /** Ends everything politely. Resolves when all groups are gone, or could not be ended, which is reported. */
  async close(graceMs: number): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#processes].map((process) => process.stop('cancelled', graceMs)))
    await this.#logs?.close()
  }

  /** Ends all groups at once and forgets them; their notes stay. Never throws. */
  kill(): void {
    this.#isClosed = true
    this.#logs?.stop()
    this.#sessions.forget()
    for (const process of this.#processes) process.forget()
    this.#processes.clear()
  }

  #make(launch: Launch): OwnedProcess {
    if (this.#isClosed) throw new SystemClosed(false)
    const process = new OwnedProcess(this.#parts, this.#logs, launch)
    this.#processes.add(process)
    void process.exited.then(() => this.#processes.delete(process))
    return process
  }

  #notesIn(detail: string): ChildNotes[] {
    try {
      const notes: unknown = JSON.parse(detail)
      if (typeof notes === 'object' && notes !== null && 'marker' in notes && typeof notes.marker === 'string') {
        const pid = 'pid' in notes && typeof notes.pid === 'number' ? notes.pid : undefined
        const identity = 'identity' in notes && typeof notes.identity === 'string' ? notes.identity : undefined
        return [{ marker: notes.marker, pid, identity }]
      }
      throw new Error('A note on a process cannot be read.')
    } catch (error) {
      this.#parts.report(error)
      return []
    }
  }
}
