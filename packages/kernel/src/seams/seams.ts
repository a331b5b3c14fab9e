/**
 * The seams: every way in which the kernel touches time, chance, threads and stores.
 *
 * `nodeSeams` holds the real ones; the test kit brings virtual ones. Kernel code outside this folder never calls
 * `Date.now`, a timer, `Math.random` or `worker_threads`, which is what makes a simulated run honest.
 * These interfaces are visible for test kits only; programs use `openSystem`.
 */
import type { BackupReport, Finding, ShardLocation, ShardStore, VerifyOptions } from '@bailiwick/store'
import type { AnyTurnContext } from '../definition/turn-context.ts'
import type { JsonValue, ProcessResult } from '../definition/process.ts'
import type { ActorDefinition } from '../definition/define-actor.ts'
import type { EffectDefinition } from '../definition/define-effect.ts'
import type { Supervision } from '../definition/supervision.ts'
import type { ShardLimits } from '../shard/limits.ts'

/** A timer that can be cancelled; cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void
}

/** Time. */
export interface Clock {
  /** Wall time in milliseconds since 1970. It may jump; the kernel guards against running backwards. */
  wall(): number
  /** Milliseconds since some moment; never runs backwards and means nothing outside this process. */
  elapsed(): number
  /** Calls back once, not before `delayMs` have passed; delays of any length. Keeps the process alive only if asked to. */
  setTimer(callback: () => void, delayMs: number, keepsAlive?: boolean): Timer
}

/** Chance. */
export type Random = () => number

/** When to go on. */
export interface Scheduler {
  /** Calls back after pending I/O events had their turn. */
  soon(callback: () => void): void
  /** Calls back as soon as the code that is running now, with all its promise continuations, has finished. */
  afterTurn(callback: () => void): void
  /**
   * Which of several actors that are equally urgent is served next: a position among their addresses, which are in the order
   * in which they became ready. Absent outside of simulations: the first.
   */
  pick?(addresses: readonly string[]): number
}

/** One end of the connection between a caller's thread and a shard. */
export interface Transport {
  /** Sends a text to the other end; texts arrive in order, urgent ones in an order of their own. */
  send(text: string, isUrgent?: boolean): void
  /** Takes a text that has already arrived, without waiting for its event. */
  poll(): string | undefined
  /** The same for an urgent text. Costs next to nothing if there is none, so that it can be asked between any two commands. */
  pollUrgent(): string | undefined
  /** Says who gets arriving texts from now on. */
  onText(listener: (text: string) => void): void
  /** Closes both ends. */
  close(): void
  /** Whether either end has been closed. */
  readonly isClosed: boolean
}

/** Something stored whose handling has ended a thread, and which is not tried again. */
export interface Poison {
  /** Position of the shard. */
  readonly shard: number
  /** Sequence of a stored command, or generation of a timer. */
  readonly sequence?: number
  readonly generation?: number
  /** How the thread ended. */
  readonly reason: string
}

/** An actor of which the thread before has died, although nothing is left to be kept from it. */
export interface Accused {
  readonly shard: number
  /** Its address. */
  readonly actor: string
  readonly command: string
  readonly reason: string
}

/** What a thread needs to serve its shards. */
export interface ThreadPlan {
  readonly shards: readonly ShardLocation[]
  readonly definitions: readonly ActorDefinition[]
  readonly effects: readonly EffectDefinition[]
  /** How many shards the system has, on all its threads. */
  readonly shardCount: number
  readonly limits: ShardLimits
  /** What happens to an actor that fails, unless its definition says something else. */
  readonly supervision: Supervision
  /** What is kept as a dead letter instead of being tried again. */
  readonly poison: readonly Poison[]
  /** Whose failure the death of the thread before was. */
  readonly accused: Accused | undefined
  /** The thread before it died while it served something unknown: each message is stored before it is served, until that is known. */
  readonly isCareful: boolean
  /** How often the thread counts its beat, in milliseconds. */
  readonly beatMs: number
}

/** How a thread has ended by itself. */
export interface ThreadEnd {
  /** `exited`: its code has ended it, as with `process.exit`. `hung`: it stood still. `failed`: everything else, such as an error or too little memory. */
  readonly how: 'exited' | 'hung' | 'failed'
  readonly error: Error
}

/** A definition that a thread is loading. */
export interface LoadedModule {
  /** Type of the actor, or name of the effect. */
  readonly type: string
  readonly module: string
}

/** A thread that serves shards. */
export interface ShardThread {
  /** One transport per shard of the plan, in its order. */
  readonly transports: readonly Transport[]
  /** Live counters of each shard, in the order of the plan. */
  readonly gauges: readonly Float64Array[]
  /** Resolves once every shard has recovered; rejects with the reason why one could not. */
  readonly ready: Promise<void>
  /** Resolves when the thread has ended, with how if nobody asked it to. */
  readonly ended: Promise<ThreadEnd | undefined>
  /** What the thread is loading while it starts. */
  readonly loading: LoadedModule | undefined
  /** A count that goes on for as long as the thread's event loop comes round; undefined where the thread is the caller's own. */
  beat(): number | undefined
  /** Ends the thread at once, whatever it is doing. Resolves when it has ended. */
  terminate(): Promise<void>
}

/** The directory that a system owns. */
export interface SystemDirectory {
  readonly directory: string
  readonly epoch: number
  readonly shardCount: number
  shard(index: number): ShardLocation
  release(): void
}

/** Opens directories and shards. */
export interface Stores {
  openDirectory(options: DirectoryOptions): SystemDirectory
  /** Called in the thread that will own the shard. */
  openShard(location: ShardLocation): ShardStore
  /** Copies a directory that is open to a new one, as it was at one moment. Absent where there is nothing to copy. */
  backup?(from: string, to: string): Promise<BackupReport> | BackupReport
  /** Checks a directory that is open. Absent where there is nothing to check. */
  verify?(directory: string, options: VerifyOptions): Promise<readonly Finding[]>
}

/** How to open a directory. */
export interface DirectoryOptions {
  readonly directory: string
  readonly shards: number
  readonly synchronous: 'full' | 'normal'
  readonly create: boolean
}

/** How to start a child process. The caller has checked everything. */
export interface ChildSpec {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string | undefined
  /** Its whole environment, apart from the marker. */
  readonly env: Readonly<Record<string, string>>
  /** Stands in the child's environment, and in that of its children, so that they are recognised after a crash. */
  readonly marker: string
  /** Whether it is a Node.js program that exchanges messages with us, beside its streams. Default false. */
  readonly hasChannel?: boolean
}

/** A child process, leader of a process group of its own. */
export interface Child {
  readonly pid: number
  /** What tells it from a later process with the same pid; `undefined` if this machine cannot tell. */
  readonly identity: string | undefined
  /** Writes to its standard input. Resolves when it was taken; rejects if the child has closed it or is gone. */
  write(text: string): Promise<void>
  /** Closes its standard input. */
  end(): void
  /** Sends a message, if it has a channel. What cannot be sent any more is dropped. */
  post(message: JsonValue): void
  /** Ends nothing by itself: sends a signal to the whole group. False if nobody is left in it. */
  signalGroup(signal: 'SIGTERM' | 'SIGKILL'): boolean
  /** Whether anybody is left in its group. */
  isGroupAlive(): boolean
}

/** What a child reports. Output is read only as fast as `onOutput` returns; nothing is buffered beyond what the system holds. */
export interface ChildEvents {
  onOutput(stream: 'stdout' | 'stderr', bytes: Uint8Array): void
  /** A message from a child that has a channel. */
  onMessage?(message: unknown): void
  /** The leader has ended and both streams are closed, or will not close because grandchildren hold them. Called once. */
  onExit(exitCode: number | null, signal: string | null): void
}

/** A process of which only notes are left. */
export interface ChildNotes {
  readonly marker: string
  /** Undefined if the notes end before it was started. */
  readonly pid: number | undefined
  readonly identity: string | undefined
}

/** Child processes. */
export interface Children {
  /** Starts a child. Rejects if the program cannot be started. */
  start(spec: ChildSpec, events: ChildEvents): Promise<Child>
  /** Ends, with KILL, every process that certainly belongs to these notes, and nobody else; answers how many there were. */
  endRemains(notes: readonly ChildNotes[]): Promise<number>
}

/** A Node.js program of ours in a process of its own. */
export interface ForkedProcess {
  readonly pid: number
  post(message: JsonValue): void
  /** Settles when its whole group is gone. Never rejects. */
  readonly exited: Promise<ProcessResult>
  /** Ends its group: TERM, and KILL after the grace. */
  stop(): Promise<ProcessResult>
  /** Ends its group at once: KILL. */
  kill(): Promise<ProcessResult>
}

/** Starts a module in a process that belongs to the shard: its output is logged, its group is ended, its remains are found. */
export type Fork = (module: URL, onMessage: (message: unknown) => void) => Promise<ForkedProcess>

/** Which turn is to run somewhere else than in the shard's thread. */
export interface TurnPlace {
  readonly on: 'pool' | 'process'
  /** Where the definition of the actor is found again, and which of its commands it is. */
  readonly module: string
  readonly type: string
  readonly command: string
}

/** Runs turns outside of the shard's thread. */
export interface TurnPlaces {
  /**
   * Runs a turn with a context that belongs to the shard's thread. Settles as the turn does. When `kill` fires it is ended
   * by force, wherever it stands, and rejects. Rejects with `ProcessLost` if its thread or process dies by itself.
   */
  run(place: TurnPlace, context: AnyTurnContext, kill: AbortSignal, fork: Fork): Promise<unknown>
  /** Ends every thread. Resolves when they are gone. */
  close(): Promise<void>
}

/** Where those who watch the process from outside can listen. */
export interface Diagnostics {
  readonly hasSubscribers: boolean
  publish(event: unknown): void
}

/** Names of the signals with which a process is asked to end. */
export type EndSignal = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGBREAK'

/** Signals that this process gets. */
export interface Signals {
  /**
   * Takes a signal over: it no longer ends the process by itself. The listener hears whether the program itself listens for it
   * too. Answers a function that gives it back, to be called once.
   */
  on(signal: EndSignal, listener: (isHeardByProgram: boolean) => void): () => void
  /** Whether anybody in the process listens for the signal now. */
  isHeard(signal: EndSignal): boolean
  /** Sends the signal to this process. */
  raise(signal: EndSignal): void
}

/** Everything that `openSystem` needs from the world. */
export interface Seams {
  readonly clock: Clock
  /** For the jitter of waits. Without it there is none. */
  readonly random?: Random
  readonly scheduler: Scheduler
  readonly stores: Stores
  startThread(plan: ThreadPlan): ShardThread
  /** Absent where nobody can watch. */
  readonly diagnostics?: Diagnostics
  /** Absent where there are none. */
  readonly signals?: Signals
  /** Says for people that something went wrong which belongs to no caller, where the program has given no logger. */
  warn?(error: unknown): void
}
