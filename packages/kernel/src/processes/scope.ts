/** What one stretch of a turn, or one attempt of an effect, can do with processes. */
import { fileURLToPath } from 'node:url'
import { checkName } from '../definition/input.ts'
import { findJsonFault } from '../definition/json.ts'
import type {
  JsonValue,
  ProcessApi,
  ProcessResult,
  ProcessSpec,
  SessionProcess,
  SessionSpec,
  SpawnedProcess,
} from '../definition/process.ts'
import { InvalidInput, ProcessLost } from '../errors.ts'
import type { Fork, ForkedProcess } from '../seams/seams.ts'
import { Follower } from './followers.ts'
import { forkEnvironment, forkOptions } from './fork.ts'
import type { Launch, OwnedProcess } from './owned-process.ts'
import type { Session, Sessions } from './sessions.ts'
import { checkLimits, checkSpec, DEFAULT_GRACE_MS } from './spec.ts'

/** What a scope needs from the manager. */
export interface ScopeParts {
  /** Throws once nothing may be started any more. */
  readonly make: (launch: Launch) => OwnedProcess
  readonly sessions: Sessions
}

/** Whose scope it is. */
export interface ScopeOwner {
  readonly address: string
  /** The command or the effect. */
  readonly name: string
}

/** Processes of one stretch or attempt. */
export class ProcessScope implements ProcessApi {
  readonly fork: Fork = (module, onMessage) => this.#fork(module, onMessage)
  readonly #parts: ScopeParts
  readonly #owner: ScopeOwner
  readonly #gate: () => Error | undefined
  readonly #over: AbortSignal
  /** What ends with the scope. */
  readonly #started = new Set<OwnedProcess>()
  readonly #followers = new Set<Follower>()

  constructor(parts: ScopeParts, owner: ScopeOwner, gate: () => Error | undefined, over: AbortSignal) {
    this.#parts = parts
    this.#owner = owner
    this.#gate = gate
    this.#over = over
    parts.sessions.enter(owner.address)
    if (over.aborted) this.#end()
    else over.addEventListener('abort', () => this.#end(), { once: true })
  }

  async run(spec: ProcessSpec): Promise<ProcessResult> {
    this.check()
    const { address } = this.#owner
    const process = this.#begin({ address, kind: 'process', spec: checkSpec('process.run', spec, 'process'), closesInput: true })
    try {
      await process.start()
    } catch (error) {
      if (!(error instanceof ProcessLost)) throw error
    }
    return process.exited
  }

  async spawn(spec: ProcessSpec): Promise<SpawnedProcess> {
    this.check()
    const { address } = this.#owner
    const process = this.#begin({ address, kind: 'process', spec: checkSpec('process.spawn', spec, 'process'), closesInput: false })
    await process.start()
    this.check()
    return new ProcessHandle(this, process, (line) => process.write(line))
  }

  async session(name: string, spec: SessionSpec): Promise<SessionProcess> {
    this.check()
    const operation = 'process.session'
    checkName(operation, 'name', name)
    const checked = checkSpec(operation, spec, 'session')
    const { address } = this.#owner
    const { session, isFresh } = await this.#parts.sessions.open(
      address,
      name,
      checked,
      (spec, onOutput) => this.#parts.make({ address, kind: 'session', spec, closesInput: false, onOutput }),
      () => this.check(),
    )
    this.check()
    return new SessionHandle(this, session, isFresh)
  }

  /** Ends at once, by KILL, everything that ends with the scope. */
  kill(): void {
    for (const process of this.#started) void process.kill('cancelled')
  }

  /** Throws once the owner is over. */
  check(): void {
    const error = this.#gate()
    if (error !== undefined) throw error
  }

  /** Whether what belongs to it may still be used. */
  get isOver(): boolean {
    return this.#over.aborted || this.#gate() !== undefined
  }

  /** The lines of a process, until the scope is over. */
  follow(process: OwnedProcess, stream: 'stdout' | 'stderr'): AsyncIterableIterator<string> {
    if (this.isOver) {
      const ended = new Follower(() => undefined)
      ended.cancel()
      return ended
    }
    const follower = process.follow(stream, () => this.#followers.delete(follower))
    if (!follower.hasEnded) this.#followers.add(follower)
    return follower
  }

  async #fork(module: URL, onMessage: (message: unknown) => void): Promise<ForkedProcess> {
    this.check()
    if (module.protocol !== 'file:') throw new InvalidInput('process.fork', 'module', 'must be a file')
    const forked = this.#begin({
      address: this.#owner.address,
      kind: 'process',
      spec: {
        command: process.execPath,
        args: [...forkOptions(process.execArgv), fileURLToPath(module)],
        cwd: undefined,
        env: {},
        line: undefined,
        secrets: [],
        limits: checkLimits('process.fork'),
        timeoutMs: undefined,
        graceMs: DEFAULT_GRACE_MS,
        noReplyMs: 0,
        idleMs: 0,
      },
      closesInput: true,
      env: forkEnvironment(process.env),
      onMessage,
    })
    await forked.start()
    return {
      pid: forked.pid,
      exited: forked.exited,
      post: (message) => forked.post(message),
      stop: () => forked.stop('stopped'),
      kill: () => forked.kill('stopped'),
    }
  }

  #begin(launch: Launch): OwnedProcess {
    const process = this.#parts.make(launch)
    this.#started.add(process)
    void process.exited.then(() => this.#started.delete(process))
    if (this.#over.aborted) void process.stop('cancelled')
    return process
  }

  #end(): void {
    for (const follower of this.#followers) follower.cancel()
    this.#followers.clear()
    for (const process of this.#started) void process.stop('cancelled')
    this.#parts.sessions.leave(this.#owner.address)
  }
}

class ProcessHandle implements SpawnedProcess {
  readonly pid: number
  readonly exited: Promise<ProcessResult>
  readonly #scope: ProcessScope
  readonly #process: OwnedProcess
  readonly #write: (line: string) => Promise<void>

  constructor(scope: ProcessScope, process: OwnedProcess, write: (line: string) => Promise<void>) {
    this.pid = process.pid
    this.exited = process.exited
    this.#scope = scope
    this.#process = process
    this.#write = write
  }

  async send(value: JsonValue | undefined): Promise<void> {
    this.#scope.check()
    const fault = value === undefined ? { path: '', detail: 'is undefined' } : findJsonFault(value)
    if (fault !== undefined) throw new InvalidInput('process.send', fault.path, `${fault.detail}, which JSON cannot carry`)
    await this.#write(`${JSON.stringify(value)}\n`)
  }

  end(): void {
    if (!this.#scope.isOver) this.#process.endInput()
  }

  lines(stream: 'stdout' | 'stderr' = 'stdout'): AsyncIterableIterator<string> {
    return this.#scope.follow(this.#process, stream)
  }

  async stop(): Promise<ProcessResult> {
    this.#scope.check()
    return this.#process.stop('stopped')
  }
}

class SessionHandle extends ProcessHandle implements SessionProcess {
  readonly id: string
  readonly isFresh: boolean

  constructor(scope: ProcessScope, session: Session, isFresh: boolean) {
    super(scope, session.process, (line) => session.send(line))
    this.id = session.process.id
    this.isFresh = isFresh
  }
}
