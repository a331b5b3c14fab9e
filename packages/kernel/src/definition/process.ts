/**
 * Processes as turns and effects see them: child processes that the runtime owns. Types only; `processes/` does the work.
 *
 * A process gets parameters and secrets as one JSON line on its standard input, never in its environment or its
 * arguments. It is the leader of a process group of its own, and whoever ends it ends the whole group.
 */

/** What JSON can carry. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue | undefined }

/** How to start a process, and how far it may go. */
export interface ProcessSpec {
  /** The program: a path, or a name that is looked up in `PATH`. No shell is involved. */
  readonly command: string
  /** Its arguments. Anybody on the machine can read them: nothing secret belongs here. */
  readonly args?: readonly string[]
  /** Its working directory. Default: that of this program. */
  readonly cwd?: string
  /** Variables beside the few that every process gets (PATH, HOME, USER, LANG, LC_ALL, TZ, TMPDIR). Nothing secret belongs here. */
  readonly env?: Readonly<Record<string, string>>
  /** Parameters: the properties of the JSON object that is the first line of its standard input. */
  readonly input?: Readonly<Record<string, JsonValue | undefined>>
  /** Secrets: further properties of the same object. They are written nowhere else, and blotted out where the process prints them. */
  readonly secrets?: Readonly<Record<string, JsonValue>>
  readonly limits?: ProcessLimits
  /** After so many milliseconds it is ended with the reason `timed-out`. Default: none; the deadline of its turn or effect ends it. */
  readonly timeoutMs?: number
  /** How long the group has between TERM and KILL, in milliseconds. Default 5,000. */
  readonly graceMs?: number
}

/** Bounds of what a process prints, for each of its two streams. What is beyond them is read and thrown away, so that it never blocks. */
export interface ProcessLimits {
  /** Bytes that are kept on disk. Default 10 MiB. */
  readonly logBytes?: number
  /** Bytes of one file; beyond it the next numbered one is begun and the full one compressed. Default 1 MiB. */
  readonly chunkBytes?: number
  /** How long files are kept once the process has ended, in milliseconds. Default 7 days. */
  readonly keepMs?: number
  /** Bytes that come back with the result. Default 1 MiB. */
  readonly outputBytes?: number
}

/** Why a process is gone: by itself, by a signal that was not ours, because its time was over, because its turn was over, because it was told to; or it never began. */
export type ExitReason = 'exited' | 'signaled' | 'timed-out' | 'cancelled' | 'stopped' | 'not-started'

/** What one stream of a process came to. */
export interface StreamResult {
  /** The beginning of what it printed, whole characters only; ends with a notice if there was more. */
  readonly text: string
  /** Bytes that it printed, exactly. */
  readonly bytes: number
  /** Bytes of those that are not in `text`, exactly. */
  readonly droppedBytes: number
  readonly isTruncated: boolean
  /** The files that hold it, in order; none where the system has no directory, or where nothing was printed. */
  readonly files: readonly string[]
}

/** How a process has ended. */
export interface ProcessResult {
  readonly reason: ExitReason
  /** Its exit code, if it exited by itself. */
  readonly exitCode: number | null
  /** The signal that ended it, if one did. */
  readonly signal: string | null
  readonly pid: number | null
  readonly stdout: StreamResult
  readonly stderr: StreamResult
  /** Milliseconds from start to end. */
  readonly durationMs: number
  /** What went wrong, where it never began. */
  readonly error?: string
}

/** A process that is being listened to. */
export interface SpawnedProcess {
  readonly pid: number
  /** Writes a value as one JSON line to its standard input. Rejects with `StaleEpoch` once the turn is over, with `ProcessLost` if the process is gone. */
  send(value: JsonValue): Promise<void>
  /** Closes its standard input. */
  end(): void
  /** The lines that it prints from now on, until it ends or the turn is over. A follower that falls behind by more than 10,000 lines loses the oldest, and gets a line that says how many. */
  lines(stream?: 'stdout' | 'stderr'): AsyncIterableIterator<string>
  /** Settles when its whole group is gone. Never rejects. */
  readonly exited: Promise<ProcessResult>
  /** Ends its group: TERM, and KILL after `graceMs`. */
  stop(): Promise<ProcessResult>
}

/** How to start a process that outlives the turn. */
export interface SessionSpec extends ProcessSpec {
  /** A process that was sent something and has printed nothing since for so long is ended, in milliseconds. Default 3,600,000: one hour. */
  readonly noReplyMs?: number
  /** Ended after so long without a turn, in milliseconds. Default 300,000: five minutes. */
  readonly idleMs?: number
}

/** A process that belongs to the actor: its turns, one after the other, talk to the same one. */
export interface SessionProcess extends SpawnedProcess {
  /** Tells this process from one that was started later under the same name. */
  readonly id: string
  /** True if this call has started it; false if it was there. */
  readonly isFresh: boolean
}

/** What turns and effects can do with processes. */
export interface ProcessApi {
  /**
   * Runs a process to its end. Resolves however it ends, also if it could not be started. Rejects with `InvalidInput` if
   * the description is wrong or a secret stands where others can read it, with `StaleEpoch` once the turn is over.
   */
  run(spec: ProcessSpec): Promise<ProcessResult>
  /** Starts a process and goes on. It is ended when the turn, or the attempt of the effect, is over. Rejects like `run`, and with `ProcessLost` if it could not be started. */
  spawn(spec: ProcessSpec): Promise<SpawnedProcess>
  /**
   * The actor's process of this name: the one that is there, or a new one. It stays when the turn is over, parked or
   * handed over; it is ended when a turn has to be ended by force. Only for turns. Rejects like `spawn`.
   */
  session(name: string, spec: SessionSpec): Promise<SessionProcess>
}
