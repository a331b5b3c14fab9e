/**
 * A process from its note in the journal until its whole group is gone.
 *
 * However it ends, the steps are the same: the leader is reaped, the rest of its group gets TERM and then KILL, the note
 * is taken back, the files are closed, and `exited` settles.
 */
import { basename } from 'node:path'
import { messageOf, ProcessLost } from '../errors.ts'
import type { ExitReason, JsonValue, ProcessResult } from '../definition/process.ts'
import type { Child, ChildNotes, Timer } from '../seams/seams.ts'
import type { Follower } from './followers.ts'
import type { LogFolders } from './log-folder.ts'
import type { ProcessParts } from './parts.ts'
import type { CheckedSpec } from './spec.ts'
import { ProcessStream } from './stream.ts'

const POLL_MS_MIN = 10
const POLL_MS_MAX = 160
/** KILL is not waited for any longer than this: what it does not end waits for a device that does not answer. */
const GIVE_UP_MS = 2_000
/** The last words of a group are waited for as long as they come, but no longer than this many looks. */
const LAST_WORDS_MAX = 10

/** Variables that every process gets, where they are set. */
const VARIABLES = ['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR']

/** A process that is to be started. */
export interface Launch {
  readonly address: string
  readonly kind: 'process' | 'session'
  readonly spec: CheckedSpec
  /** Closes its standard input behind the first line. */
  readonly closesInput: boolean
  /** Its environment, instead of the usual few and those of its description. */
  readonly env?: Readonly<Record<string, string>>
  /** Takes messages; there is a channel for them if this is given. */
  readonly onMessage?: (message: unknown) => void
  /** Told whenever it prints something. */
  readonly onOutput?: () => void
}

/** A process that belongs to the runtime. */
export class OwnedProcess {
  /** Its name in errors. */
  readonly what: string
  /** Its marker, which no other process has had. */
  readonly id: string
  /** Settles when its group is gone. Never rejects. */
  readonly exited: Promise<ProcessResult>
  readonly #parts: ProcessParts
  readonly #logs: LogFolders | undefined
  readonly #launch: Launch
  readonly #settle: (result: ProcessResult) => void
  readonly #stdout: ProcessStream
  readonly #stderr: ProcessStream
  #child: Child | undefined
  #sequence: number | undefined
  #folder: string | undefined
  #startedAt = 0
  #exit: { readonly exitCode: number | null; readonly signal: string | null } | undefined
  /** Why it is being ended. The first reason counts, and none once the leader has ended by itself. */
  #endReason: ExitReason | undefined
  /** What its group has between TERM and KILL: the least that anybody has asked for. */
  #graceMs: number
  #isEnding = false
  #isGone = false
  #isForgotten = false
  #hasClosedInput = false
  #hasReported = false
  #outputs = 0
  #killTimer: Timer | undefined
  #killAt = Number.POSITIVE_INFINITY
  #timeoutTimer: Timer | undefined
  #pollTimer: Timer | undefined
  #giveUpTimer: Timer | undefined

  constructor(parts: ProcessParts, logs: LogFolders | undefined, launch: Launch) {
    this.#parts = parts
    this.#logs = logs
    this.#launch = launch
    this.#graceMs = launch.spec.graceMs
    this.what = basename(launch.spec.command)
    this.id = parts.newMarker()
    const { promise, resolve } = Promise.withResolvers<ProcessResult>()
    this.exited = promise
    this.#settle = resolve
    this.#stdout = this.#stream('stdout')
    this.#stderr = this.#stream('stderr')
  }

  /** Its pid; 0 if it never began. */
  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Whether somebody of its group may be alive. */
  get isAlive(): boolean {
    return this.#child !== undefined && !this.#isGone
  }

  /** Whether it runs, and nobody has told it to end. */
  get isUsable(): boolean {
    return this.#child !== undefined && this.#exit === undefined && !this.#isEnding && !this.#isForgotten
  }

  /** Notes it down and starts it. Rejects with `ProcessLost` if it could not be started; `exited` has settled then. */
  async start(): Promise<void> {
    const { journal, children, clock } = this.#parts
    const { spec, env, onMessage } = this.#launch
    this.#startedAt = clock.elapsed()
    try {
      this.#sequence = await journal.begin(JSON.stringify({ marker: this.id }))
    } catch (error) {
      await this.#finish('not-started', messageOf(error))
      throw error
    }
    try {
      if (this.#endReason !== undefined) throw new Error('it was ended before it began')
      const child = await children.start(
        {
          command: spec.command,
          args: spec.args,
          cwd: spec.cwd,
          env: env ?? { ...usualVariables(), ...spec.env },
          marker: this.id,
          ...(onMessage !== undefined && { hasChannel: true }),
        },
        {
          onOutput: (stream, bytes) => this.#output(stream, bytes),
          onExit: (exitCode, signal) => this.#leaderEnded(exitCode, signal),
          ...(onMessage !== undefined && { onMessage }),
        },
      )
      this.#child = child
    } catch (error) {
      await this.#finish(this.#endReason ?? 'not-started', messageOf(error))
      throw new ProcessLost(this.what, messageOf(error), { cause: error })
    }
    this.#begun(this.#child)
  }

  /** Writes to its standard input. Rejects with `ProcessLost`. */
  async write(text: string): Promise<void> {
    if (!this.isUsable || this.#hasClosedInput) throw this.#lost('its standard input is closed')
    try {
      await this.#child?.write(text)
    } catch {
      throw this.#lost('it does not read its standard input any more')
    }
  }

  /** Closes its standard input. */
  endInput(): void {
    this.#hasClosedInput = true
    this.#child?.end()
  }

  /** Sends a message, if it has a channel. */
  post(message: JsonValue): void {
    if (!this.#isGone) this.#child?.post(message)
  }

  /** The lines that it prints from now on. `left` is called when nothing more comes, but not before this has returned. */
  follow(stream: 'stdout' | 'stderr', left: () => void): Follower {
    return stream === 'stdout' ? this.#stdout.follow(left) : this.#stderr.follow(left)
  }

  /** Ends its group: TERM, and KILL after the grace. */
  async stop(reason: ExitReason, graceMs: number = this.#launch.spec.graceMs): Promise<ProcessResult> {
    this.#because(reason)
    this.#graceMs = Math.min(this.#graceMs, graceMs)
    if (this.#child !== undefined && !this.#isGone && !this.#isForgotten) this.#terminate(this.#child)
    return this.exited
  }

  /** Ends its group at once. */
  async kill(reason: ExitReason): Promise<ProcessResult> {
    this.#because(reason)
    this.#graceMs = 0
    if (this.#child !== undefined && !this.#isGone && !this.#isForgotten) this.#killGroup(this.#child)
    return this.exited
  }

  /** Ends its group at once, and has nothing to do with it any more: its note stays. */
  forget(): void {
    this.#isForgotten = true
    this.#because('cancelled')
    this.#cancelTimers()
    try {
      if (this.#child !== undefined && !this.#isGone) this.#child.signalGroup('SIGKILL')
    } catch (error) {
      this.#parts.report(error)
    }
    this.#endStreams(undefined)
  }

  #begun(child: Child): void {
    const { journal, clock } = this.#parts
    const { spec, closesInput } = this.#launch
    if (this.#isForgotten) {
      child.signalGroup('SIGKILL')
      return
    }
    const notes: ChildNotes = { marker: this.id, pid: child.pid, identity: child.identity }
    this.#note((sequence) => journal.update(sequence, JSON.stringify(notes)))
    if (spec.line !== undefined) void child.write(spec.line).catch(() => undefined) // Whoever does not read it shows it in how it ends.
    if (closesInput) this.endInput()
    if (this.#exit !== undefined) this.#awaitGroup(child)
    else if (this.#endReason !== undefined) this.#terminate(child)
    else if (spec.timeoutMs !== undefined) this.#timeoutTimer = clock.setTimer(() => void this.stop('timed-out'), spec.timeoutMs)
  }

  #because(reason: ExitReason): void {
    if (this.#exit === undefined) this.#endReason ??= reason
  }

  #output(stream: 'stdout' | 'stderr', bytes: Uint8Array): void {
    this.#outputs += 1
    this.#launch.onOutput?.()
    if (stream === 'stdout') this.#stdout.push(bytes)
    else this.#stderr.push(bytes)
  }

  /** TERM once, and KILL at the earliest moment that anybody has asked for. */
  #terminate(child: Child): void {
    if (this.#graceMs === 0) {
      this.#killGroup(child)
      return
    }
    if (!this.#isEnding) {
      this.#isEnding = true
      child.signalGroup('SIGTERM')
    }
    const killAt = this.#parts.clock.elapsed() + this.#graceMs
    if (killAt >= this.#killAt) return
    this.#killAt = killAt
    this.#killTimer?.cancel()
    this.#killTimer = this.#parts.clock.setTimer(() => this.#killGroup(child), this.#graceMs)
  }

  #killGroup(child: Child): void {
    this.#isEnding = true
    this.#killAt = Number.NEGATIVE_INFINITY
    this.#killTimer?.cancel()
    child.signalGroup('SIGKILL')
    if (this.#isForgotten) return
    this.#giveUpTimer ??= this.#parts.clock.setTimer(() => this.#giveUp(), GIVE_UP_MS)
  }

  /** Its note stays, so that the next owner tries again. */
  #giveUp(): void {
    if (this.#isGone) return
    this.#parts.report(new ProcessLost(this.what, `its group ${this.pid} could not be ended`))
    this.#sequence = undefined
    void this.#gone()
  }

  #leaderEnded(exitCode: number | null, signal: string | null): void {
    if (this.#exit !== undefined) return
    this.#exit = { exitCode, signal }
    this.#timeoutTimer?.cancel()
    if (this.#child !== undefined) this.#awaitGroup(this.#child)
  }

  #awaitGroup(child: Child): void {
    if (this.#isForgotten || !child.isGroupAlive()) {
      void this.#gone()
      return
    }
    this.#terminate(child)
    this.#poll(child, POLL_MS_MIN)
  }

  #poll(child: Child, delayMs: number): void {
    this.#pollTimer = this.#parts.clock.setTimer(() => {
      if (child.isGroupAlive()) {
        // One that was being forked when its group was ended.
        if (this.#killAt === Number.NEGATIVE_INFINITY) child.signalGroup('SIGKILL')
        this.#poll(child, Math.min(delayMs * 2, POLL_MS_MAX))
      } else {
        this.#lastWords(this.#outputs, 1)
      }
    }, delayMs)
  }

  /** What the rest of the group has printed may still be on its way. */
  #lastWords(outputs: number, count: number): void {
    this.#pollTimer = this.#parts.clock.setTimer(() => {
      if (this.#outputs === outputs || count >= LAST_WORDS_MAX) void this.#gone()
      else this.#lastWords(this.#outputs, count + 1)
    }, POLL_MS_MIN)
  }

  async #gone(): Promise<void> {
    if (this.#isGone) return
    this.#isGone = true
    await this.#finish(this.#endReason ?? (typeof this.#exit?.signal === 'string' ? 'signaled' : 'exited'), undefined)
  }

  /** The end of everything: takes the note back, closes the files, tells how it ended. Never rejects. */
  async #finish(reason: ExitReason, error: string | undefined): Promise<void> {
    this.#isGone = true
    this.#cancelTimers()
    this.#note((sequence) => this.#parts.journal.end(sequence))
    const durationMs = this.#parts.clock.elapsed() - this.#startedAt
    const { exitCode, signal } = this.#exit ?? { exitCode: null, signal: null }
    this.#endStreams(this.#isExpected(reason) ? undefined : this.#lost(reasonText(reason, exitCode, signal)))
    const [stdout, stderr] = await Promise.all([this.#stdout.result(), this.#stderr.result()])
    if (this.#folder !== undefined && !this.#isForgotten) this.#logs?.ended(this.#folder, this.#launch.spec.limits.keepMs)
    const pid = this.#child?.pid ?? null
    this.#settle({ reason, exitCode, signal, pid, stdout, stderr, durationMs, ...(error !== undefined && { error }) })
  }

  /** Whether followers need no error: only a session is expected to stay. */
  #isExpected(reason: ExitReason): boolean {
    if (this.#launch.kind === 'process' || reason === 'stopped') return true
    return this.#hasClosedInput && reason === 'exited' && this.#exit?.exitCode === 0
  }

  #lost(reason: string): ProcessLost {
    if (this.#exit === undefined) return new ProcessLost(this.what, this.#isEnding ? 'it is being ended' : reason)
    return new ProcessLost(this.what, reasonText(this.#endReason ?? 'exited', this.#exit.exitCode, this.#exit.signal))
  }

  #endStreams(error: Error | undefined): void {
    this.#stdout.end(error)
    this.#stderr.end(error)
  }

  #cancelTimers(): void {
    for (const timer of [this.#killTimer, this.#timeoutTimer, this.#pollTimer, this.#giveUpTimer]) timer?.cancel()
  }

  /** Changes its note, as long as it is ours. */
  #note(change: (sequence: number) => void): void {
    if (this.#sequence === undefined || this.#isForgotten) return
    try {
      change(this.#sequence)
    } catch (error) {
      this.#parts.report(error)
    }
  }

  #stream(name: 'stdout' | 'stderr'): ProcessStream {
    const { limits, secrets } = this.#launch.spec
    return new ProcessStream({
      name,
      secrets,
      limits,
      folder: this.#logs === undefined ? undefined : () => this.#openFolder(this.#logs),
      failed: (error) => this.#logFailed(error),
    })
  }

  /** Both streams share it; it is made when the first of them prints something. */
  #openFolder(logs: LogFolders | undefined): string {
    if (logs === undefined || this.#sequence === undefined) throw new Error('There is no folder to write to.')
    this.#folder ??= logs.create(this.#launch.address, this.#sequence, this.#launch.spec.limits.keepMs)
    return this.#folder
  }

  #logFailed(error: unknown): void {
    if (this.#hasReported || this.#isForgotten) return
    this.#hasReported = true
    this.#parts.report(new Error(`The output of ${this.what} is not kept any more: ${messageOf(error)}`, { cause: error }))
  }
}

function usualVariables(): Record<string, string> {
  const env: Record<string, string> = {}
  for (const name of VARIABLES) {
    const value = process.env[name]
    if (value !== undefined) env[name] = value
  }
  return env
}

function reasonText(reason: ExitReason, exitCode: number | null, signal: string | null): string {
  if (reason === 'timed-out') return 'it took too long, and was ended'
  if (reason === 'cancelled' || reason === 'stopped') return 'it was ended'
  if (reason === 'not-started') return 'it never began'
  return signal === null ? `it exited with code ${exitCode ?? 'unknown'}` : `it was ended by ${signal}`
}
