/**
 * The simulated machine: a disk, the process that lives and dies on it, the network through which clients reach it, and
 * whoever looks after it. Faults strike here.
 */
import { StoreUnavailable } from '@bailiwick/kernel'
import type { ActorDefinition, OpenSystemOptions, System } from '@bailiwick/kernel'
import type { Answer, Batch, CommitReport } from '@bailiwick/store'
import { seededRandom } from '../seeded-random.ts'
import type { Agenda, Lane, Owner } from './agenda.ts'
import type { SimulatedDisk } from './disks/disk.ts'
import { ProcessDown, ProcessKilled, ReplyLost } from './errors.ts'
import { FaultPlan, lengthOf } from './fault-plan.ts'
import type { FaultKind, PointSort } from './faults.ts'
import { Life, LifeThread } from './life.ts'
import { strikeMessage } from './message-faults.ts'
import { mixSeed } from './tape.ts'
import type { PlannedFault, Tape } from './tape.ts'

/** What a machine is made of. */
export interface MachineParts {
  readonly agenda: Agenda
  readonly tape: Tape
  readonly disk: SimulatedDisk
  /** As they are run: see `instrument.ts`. */
  readonly definitions: readonly ActorDefinition[]
  readonly options: Omit<OpenSystemOptions, 'directory'>
  readonly startAt: number
  /** Whether stores answer with promises, as one behind a network would. */
  readonly isStoreLater: boolean
  /** Whether faults may strike at all: not only whether any will, which a tape that is played again does not know. */
  readonly mayStrike: boolean
  /** Whether messages between shards may be struck. */
  readonly hasMessageFaults: boolean
  /** Hears everything that is said between shards and callers, where that is wanted. */
  readonly heard: ((text: string) => void) | undefined
  /** Who of several actors is served next. */
  readonly pick: (addresses: readonly string[]) => number
  /** A fault has struck. */
  readonly struck: (kind: FaultKind, whom: string) => void
  /** The system cannot be opened, and no fault is to blame. */
  readonly failed: (error: Error) => void
}

/** Made once: nobody sees it who still does anything. */
const OVER = new ProcessKilled()
const RESTART_MS = 1_000
const OPEN_TRIES_MAX = 50
const LOOK_MS = 10_000
const UNWELL_MS = 60_000
/** How often a command that ends threads does so. */
const POISON_TIMES = 3

/** A machine with one process. */
export class Machine implements Owner {
  isDead = false
  readonly lane: Lane
  readonly skew: { ms: number } = { ms: 0 }
  readonly plan: FaultPlan
  readonly #parts: MachineParts
  /** How many commits of a shard are yet to fail, and with what. */
  readonly #failing = new Map<number, { left: number; readonly fault: 'full' | 'busy' }>()
  readonly #poison = new Map<string, number>()
  #life: Life | undefined
  #up = Promise.withResolvers<System>()
  #isCalm = false
  #wantsDown = false
  #lives = 0
  #openTries = 0

  constructor(parts: MachineParts) {
    this.#parts = parts
    this.plan = new FaultPlan(parts.tape)
    this.lane = parts.agenda.lane('machine', 'machine', this)
  }

  /** How often the process was started. */
  get lives(): number {
    return this.#lives
  }

  /** Whether the process is down because the scenario wants it to be. */
  get isKeptDown(): boolean {
    return this.#wantsDown
  }

  /** What dies with the process that is alive now. */
  get owner(): Owner {
    return this.#life ?? this
  }

  /** The system that is open now. Throws `ProcessDown` while none is. */
  get system(): System {
    const system = this.#life?.isDead === false ? this.#life.system : undefined
    if (system === undefined) throw new ProcessDown()
    return system
  }

  /** Resolves once a system is open. */
  async up(): Promise<System> {
    return await this.#up.promise
  }

  /** Starts the process. */
  start(): void {
    const { agenda, definitions, disk, hasMessageFaults, heard, isStoreLater, options, pick, startAt, tape } = this.#parts
    this.#wantsDown = false
    const life = new Life({
      agenda,
      disk,
      startAt,
      skew: this.skew,
      random: seededRandom(mixSeed(tape.seed, this.#lives)),
      definitions,
      options: { ...options, limits: { ...options.limits, batchCommands: tape.batchCommands } },
      isStoreLater,
      commit: (shard, thread, epoch, batch, through) => this.#commit(shard, thread, epoch, batch, through),
      pick,
      sent: hasMessageFaults ? (text, late) => strikeMessage(text, () => this.strikeAt('message'), late) : undefined,
      heard,
      report: () => undefined,
    })
    this.#life = life
    this.#lives += 1
    life.open().then(
      (system) => {
        if (life.isDead) return
        this.#openTries = 0
        if (this.#parts.mayStrike) this.#lookAfter(life, undefined)
        this.#up.resolve(system)
      },
      (error: unknown) => {
        if (!life.isDead) this.#openAgain(life, error)
      },
    )
  }

  /** Starts the process unless it lives. */
  ensureStarted(): void {
    if (this.#life?.isDead !== false) this.start()
  }

  /** Kills the process. Unless it is to stay down, somebody starts it again at once. */
  kill(staysDown: boolean, torn?: number): void {
    const life = this.#life
    if (staysDown) this.#wantsDown = true
    if (life === undefined || life.isDead) return
    if (life.system !== undefined) this.#up = Promise.withResolvers<System>()
    life.kill(new ProcessKilled(), torn)
    if (!this.#wantsDown) this.#parts.agenda.post(this.lane, () => this.ensureStarted())
  }

  /** Kills the thread of a shard. */
  killThreadOf(shard: number): void {
    const thread = this.#life?.threads.findLast((candidate) => !candidate.isDead && candidate.serves.includes(shard))
    if (thread !== undefined) this.#life?.killThread(thread, 'the scenario crashed it')
  }

  /** From here on nothing strikes, and whatever was paused or full goes on. */
  calm(): void {
    this.#isCalm = true
    this.#parts.agenda.resume()
    this.#failing.clear()
    this.#poison.clear()
    if (this.#life?.isDead === true) this.#parts.agenda.post(this.lane, () => this.ensureStarted())
  }

  /** The run is over. */
  end(): void {
    this.#isCalm = true
    this.isDead = true
    this.#life?.kill(OVER)
    this.#parts.disk.dispose()
  }

  // What clients do.

  /** Waits until a system is open and does something with it, which ends at the latest with its process. */
  async whileAlive<T>(work: () => Promise<T>): Promise<T> {
    let life = this.#life
    // It may be gone again before whoever waits for it hears that it is there.
    while (life?.system === undefined || life.isDead) {
      await this.up()
      life = this.#life
    }
    return await life.survive(work())
  }

  /** Makes a call the way it takes from a client to the system and back. */
  async throughNetwork(lane: Lane, send: () => Promise<unknown>): Promise<unknown> {
    const fault = this.strikeAt('call')
    if (fault === undefined) return await this.whileAlive(send)
    const { agenda } = this.#parts
    const ms = lengthOf(fault)
    const pass = (): Promise<void> => new Promise((resolve) => void agenda.setTimer(lane, resolve, ms))
    switch (fault.kind) {
      case 'lost-request':
        await pass()
        throw new ReplyLost()
      case 'delayed-request':
        await pass()
        break
      case 'duplicate-request':
        agenda.setTimer(this.lane, () => void this.whileAlive(send).catch(() => undefined), ms)
        break
      default:
        await this.whileAlive(send).catch(() => undefined)
        throw new ReplyLost()
    }
    return await this.whileAlive(send)
  }

  // Faults.

  /** The next point of a sort is reached: the fault that strikes there, if one does. */
  strikeAt(sort: PointSort, whom: (fault: PlannedFault) => string = () => `at a ${sort}`): PlannedFault | undefined {
    const fault = this.#isCalm ? undefined : this.plan.at(sort)
    if (fault !== undefined) this.#parts.struck(fault.kind, whom(fault))
    return fault
  }

  /** Between two steps: has everything strike that is due. */
  strike(): void {
    if (this.#isCalm) return
    for (let fault = this.plan.at('step'); fault !== undefined; fault = this.plan.more('step')) this.#strike(fault)
  }

  /** A thread is about to run code of an actor, named by type and event; a poison command ends it there. */
  serves(owner: Owner, where: string): void {
    if (!(owner instanceof LifeThread)) return
    if (this.strikeAt('transition', () => where) !== undefined) this.#poison.set(where, POISON_TIMES)
    const left = this.#poison.size === 0 ? 0 : (this.#poison.get(where) ?? 0)
    if (left === 0) return
    this.#poison.set(where, left - 1)
    this.#life?.killThread(owner, `poison: ${where}`)
  }

  #strike(fault: PlannedFault): void {
    const life = this.#life
    if (life === undefined || life.isDead) return
    const { agenda, struck } = this.#parts
    const alive = life.threads.filter(({ isDead, isLeftBehind }) => !isDead && !isLeftBehind)
    const thread = alive[fault.amount % Math.max(1, alive.length)]
    const ms = lengthOf(fault)
    const isOfAll = fault.kind === 'process-kill' || fault.kind === 'stall' || (fault.kind === 'clock-jump' && (fault.amount & 128) === 0)
    struck(fault.kind, isOfAll || thread === undefined ? 'the process' : thread.lane.name)
    if (fault.kind === 'process-kill') this.kill(false)
    else if (fault.kind === 'stall') agenda.skip()
    else if (fault.kind === 'clock-jump')
      (isOfAll || thread === undefined ? this.skew : thread.skew).ms += (fault.amount & 64) === 0 ? ms : -ms
    else if (thread !== undefined) this.#strikeThread(life, thread, fault.kind, ms)
  }

  #strikeThread(life: Life, thread: LifeThread, kind: FaultKind, ms: number): void {
    const { agenda } = this.#parts
    if (kind === 'thread-kill') life.killThread(thread, 'it was killed')
    else if (kind === 'slow-consumer') for (const { answers } of thread.wires) agenda.pause(answers, ms)
    else {
      agenda.pause(thread.lane, ms)
      if (kind === 'paused-owner') thread.giveUp()
    }
  }

  #commit(shard: number, thread: LifeThread, epoch: number, batch: Batch, through: () => Answer<CommitReport>): Answer<CommitReport> {
    const failing = this.#failing.get(shard)
    if (failing !== undefined && failing.left > 0) {
      failing.left -= 1
      throw new StoreUnavailable(failing.fault, 'the simulated disk fails for a while')
    }
    const fault = this.strikeAt('commit', ({ amount, kind }) => `${sideOf(kind, amount)} a commit of shard ${shard}`)
    if (fault === undefined) return through()
    const isAfter = fault.amount % 2 === 1
    switch (fault.kind) {
      case 'disk-full':
      case 'disk-busy': {
        const kind = fault.kind === 'disk-full' ? 'full' : 'busy'
        this.#failing.set(shard, { left: fault.amount % 4, fault: kind })
        throw new StoreUnavailable(kind, 'the simulated disk fails for a while')
      }
      case 'io-error':
        if (isAfter) void through()
        throw new StoreUnavailable('io', 'the simulated disk has failed')
      case 'thread-kill-at-commit':
        if (isAfter) void through()
        this.#life?.killThread(thread, isAfter ? 'it was killed after a commit' : 'it was killed before a commit')
        break
      case 'torn-write':
        this.#parts.disk.tearing(shard, batch, epoch)
        this.kill(false, (fault.amount % 1_000) / 999)
        break
      default:
        if (isAfter) void through()
        this.kill(false)
    }
    throw new StoreUnavailable('other', 'whoever wrote here has died')
  }

  // Whoever looks after the machine.

  /** A process that has been unwell for a minute, for instance because it has given a thread up, is started again. */
  #lookAfter(life: Life, sinceMs: number | undefined): void {
    if (life.isDead) return
    const { agenda } = this.#parts
    const isUnwell = life.system?.health().status === 'degraded'
    if (isUnwell && sinceMs !== undefined && agenda.now - sinceMs >= UNWELL_MS) this.kill(false)
    else agenda.setTimer(this.lane, () => this.#lookAfter(life, isUnwell ? (sinceMs ?? agenda.now) : undefined), LOOK_MS)
  }

  /** What cannot be opened while faults strike is tried again. */
  #openAgain(life: Life, error: unknown): void {
    life.kill(OVER)
    this.#openTries += 1
    if (this.#openTries > OPEN_TRIES_MAX || this.#parts.tape.struck.length === 0) {
      this.#parts.failed(error instanceof Error ? error : new Error(String(error)))
      return
    }
    this.#parts.agenda.setTimer(this.lane, () => this.ensureStarted(), RESTART_MS)
  }
}

/** Where a fault at a commit strikes, in words. */
function sideOf(kind: FaultKind, amount: number): string {
  if (kind === 'torn-write') return 'in the middle of'
  return kind !== 'disk-full' && kind !== 'disk-busy' && amount % 2 === 1 ? 'after' : 'before'
}
