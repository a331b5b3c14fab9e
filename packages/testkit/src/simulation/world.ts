/**
 * One run: a machine with a disk, a process that lives and dies on it, clients that call it, and a tape that decides.
 *
 * 1. The process is started, the system opened.
 * 2. The scenario runs: clients call, faults strike, the process is started again when it has died.
 * 3. Nothing strikes any more; what is left comes to rest, and the check looks at it.
 */
import { encodeKey, StoreUnavailable } from '@bailiwick/kernel'
import type { ActorDefinition, ActorKey, OpenSystemOptions, System } from '@bailiwick/kernel'
import type { Answer, Batch, CommitReport } from '@bailiwick/store'
import type { HistoryEvent } from '../histories/history.ts'
import { seededRandom } from '../seeded-random.ts'
import { Agenda } from './agenda.ts'
import type { AgendaLimits, Director, Lane, Owner } from './agenda.ts'
import { SimulatedClient } from './client.ts'
import type { Client } from './client.ts'
import type { SimulatedDisk } from './disks/disk.ts'
import { ProcessKilled, ReplyLost, SimulationStuck } from './errors.ts'
import { FaultPlan, lengthOf } from './fault-plan.ts'
import type { Guards } from './guards.ts'
import type { Onlooker } from './instrument.ts'
import { Life } from './life.ts'
import type { LifeThread } from './life.ts'
import { strikeMessage } from './message-faults.ts'
import type { Properties } from './properties.ts'
import { RunHash } from './run-hash.ts'
import type { Strategy } from './strategies/strategy.ts'
import { mixSeed } from './tape.ts'
import type { PlannedFault, Tape } from './tape.ts'

/** What a run is made of. */
export interface WorldParts {
  readonly tape: Tape
  /** Who chooses what the tape leaves open. */
  readonly strategy: Strategy
  /** As they are run: see `instrument.ts`. */
  readonly definitions: readonly ActorDefinition[]
  readonly options: Omit<OpenSystemOptions, 'directory'>
  readonly disk: SimulatedDisk
  readonly limits: AgendaLimits
  readonly startAt: number
  readonly properties: Properties
  readonly guards: Guards | undefined
  /** Whether stores answer with promises, as one behind a network would. */
  readonly isStoreLater: boolean
  /** Whether messages between shards may be struck. */
  readonly hasMessageFaults: boolean
  /** What takes part in the comparison of two runs: also what is said, instead of only who goes when. */
  readonly isHashedWhole: boolean
}

/** What a run has come to. */
export interface RunResult {
  readonly error: Error | undefined
  readonly steps: number
  /** Which interleaving it was. */
  readonly schedule: number
  readonly hash: number
  /** Points of each sort, and steps of each lane. */
  readonly points: ReadonlyMap<string, number>
  readonly laneSteps: ReadonlyMap<string, number>
}

/** Made once: nobody sees it who still does anything. */
const OVER = new ProcessKilled()
const RESTART_MS = 1_000
const REST_LOOK_MS = 500
const WORK_LANES = 16
const REST_MS = 600_000
const LOOK_MS = 10_000
const UNWELL_MS = 60_000
const OPEN_TRIES_MAX = 50

/** A simulated world, as a scenario and a check see it. */
export class World implements Director, Onlooker, Owner {
  isDead = false
  readonly agenda: Agenda
  /** What clients have called and heard. */
  readonly history: HistoryEvent[] = []
  readonly properties: Properties
  readonly #parts: WorldParts
  readonly #plan: FaultPlan
  readonly #clients: SimulatedClient[] = []
  readonly #hash: RunHash
  readonly #laneSteps = new Map<string, number>()
  readonly #machine: Lane
  readonly #skew = { ms: 0 }
  /** How many commits of a shard are yet to fail, and with what. */
  readonly #failing = new Map<number, { left: number; readonly fault: 'full' | 'busy' }>()
  readonly #poison = new Map<string, number>()
  #life: Life | undefined
  #up = Promise.withResolvers<System>()
  #phase: 'opening' | 'scenario' | 'check' | 'over' = 'opening'
  #failure: Error | undefined
  #wantsDown = false
  #opened = 0
  #openTries = 0
  #processes = 0
  #workers = 0
  #current: Owner | undefined

  constructor(parts: WorldParts) {
    const { tape } = parts
    this.#parts = parts
    this.properties = parts.properties
    this.agenda = new Agenda(this, parts.limits)
    this.#plan = new FaultPlan(tape)
    this.#hash = new RunHash()
    this.#machine = this.agenda.lane('machine', 'machine', this)
  }

  // What scenarios and checks use.

  /** The system that is open now. Throws `ProcessKilled` while none is. */
  get system(): System {
    const system = this.#life?.isDead === false ? this.#life.system : undefined
    if (system === undefined) throw new ProcessKilled()
    return system
  }

  /** Virtual time in milliseconds since 1970, as the machine's clock shows it. */
  get time(): number {
    return this.#parts.startAt + this.agenda.now + this.#skew.ms
  }

  /** How often the process was started. */
  get lives(): number {
    return this.#opened
  }

  /** A new client. Names are for reports; by default they are numbered. */
  client(name = `client ${this.#clients.length + 1}`): Client {
    const lane = this.agenda.lane(name, 'clients', this)
    const client = new SimulatedClient(this, name, lane, () => (this.#processes += 1) - 1)
    this.#clients.push(client)
    return client
  }

  /**
   * Has several clients do something at the same time, each with the one piece of work, or each with its own. Rejects with
   * the first error.
   */
  async together(count: number, work: (client: Client, index: number) => Promise<void>): Promise<void>
  async together(...work: readonly ((client: Client) => Promise<void>)[]): Promise<void>
  async together(
    first: number | ((client: Client) => Promise<void>),
    ...rest: readonly ((client: Client, index: number) => Promise<void>)[]
  ): Promise<void> {
    const [each] = rest
    const all = typeof first === 'number' ? Array.from({ length: first }, () => each) : [first, ...rest]
    await Promise.all(
      all.map(async (work, index) => {
        const client = this.client()
        await client.yield()
        await work?.(client, index)
      }),
    )
  }

  /** Waits for so much virtual time. */
  async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => void this.agenda.setTimer(this.#machine, resolve, ms))
  }

  /**
   * Takes so much virtual time, as part of the process: for what stands in for the outside world in turns and effects. If the
   * process dies meanwhile, this never returns, so what would have come after does not happen.
   */
  async workFor(ms: number): Promise<void> {
    const lane = this.agenda.lane(`work ${this.#workers % WORK_LANES}`, 'work', this.#life ?? this)
    this.#workers += 1
    await new Promise<void>((resolve) => void this.agenda.setTimer(lane, resolve, ms))
  }

  /** A source of unsigned 32-bit integers, from the tape. Streams of different names are independent of each other. */
  draws(stream: string): () => number {
    return this.#parts.tape.stream(stream)
  }

  /** A whole number from 0 up to, and without, `below`. */
  draw(stream: string, below: number): number {
    return this.draws(stream)() % below
  }

  /** Whether a part of the scenario is to happen; always, until a failing run is made smaller. Name each part once. */
  keeps(part: string): boolean {
    return this.#parts.tape.keeps(part)
  }

  /** Kills the process. It stays down until `restart`. */
  crash(): void {
    this.#wantsDown = true
    this.#kill()
  }

  /** Kills the thread of a shard; the system starts another. */
  crashThread(shard = 0): void {
    const thread = this.#life?.threads.findLast((candidate) => !candidate.isDead && candidate.serves.includes(shard))
    if (thread !== undefined) this.#life?.killThread(thread, 'the scenario crashed it')
  }

  /** Starts the process again after `crash`. Resolves when the system is open. */
  async restart(): Promise<System> {
    this.#wantsDown = false
    if (this.#life?.isDead !== false) this.#begin()
    return await this.up()
  }

  /** Resolves once a system is open. */
  async up(): Promise<System> {
    return await this.#up.promise
  }

  /**
   * Waits until every shard serves and nothing waits to be handled or delivered, for at most ten virtual minutes. Before the
   * check this has happened.
   */
  async rest(): Promise<void> {
    // Time passes only when nobody can go on: what is on its way has arrived by then.
    await this.sleep(1)
    for (let waitedMs = 0; ; waitedMs += REST_LOOK_MS) {
      const system = await this.up()
      const isServing = system.health().status === 'ready'
      const { lanes, outbox } = system.stats()
      if (isServing && outbox === 0 && Object.values(lanes).every(({ depth }) => depth === 0)) return
      if (waitedMs > REST_MS) return
      await this.sleep(REST_LOOK_MS)
    }
  }

  // What clients need.

  /** A ref of the system that is open now, as a record of its methods by name. */
  refOf(definition: ActorDefinition, key: ActorKey): Record<string, unknown> {
    return this.system.actor(definition, key) as unknown as Record<string, unknown> // A ref has methods by name, and nothing else is read here.
  }

  /** The address of an actor, as in errors. */
  addressOf(definition: ActorDefinition, key: ActorKey): string {
    return `${definition.type}/${encodeKey(definition.type, key)}`
  }

  record(event: Omit<HistoryEvent, 'index' | 'time'>): void {
    this.history.push({ index: this.history.length, time: this.agenda.now, ...event })
  }

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
    const fault = this.#strikeAt('call')
    if (fault === undefined) return await this.whileAlive(send)
    const ms = lengthOf(fault)
    const pass = (): Promise<void> => new Promise((resolve) => void this.agenda.setTimer(lane, resolve, ms))
    switch (fault.kind) {
      case 'lost-request':
        await pass()
        throw new ReplyLost()
      case 'delayed-request':
        await pass()
        break
      case 'duplicate-request':
        this.agenda.setTimer(this.#machine, () => void this.whileAlive(send).catch(() => undefined), ms)
        break
      default:
        await this.whileAlive(send).catch(() => undefined)
        throw new ReplyLost()
    }
    return await this.whileAlive(send)
  }

  // The run itself.

  /** Runs scenario and check. Never rejects. */
  async run(scenario: (world: World) => Promise<void>, check: ((world: World) => Promise<void> | void) | undefined): Promise<RunResult> {
    const { guards, tape } = this.#parts
    this.agenda.onYield = guards && { leave: () => guards.leave(), enter: () => guards.enter('the scenario', 'run') }
    guards?.enter('the scenario', 'run')
    try {
      this.#begin()
      await this.#untilSettled(async () => void (await this.up()))
      this.#phase = 'scenario'
      if (this.#failure === undefined) await this.#untilSettled(() => scenario(this))
      this.#calm()
      if (this.#failure === undefined && check !== undefined) {
        await this.#untilSettled(async () => {
          await this.rest()
          await check(this)
        })
      }
    } finally {
      guards?.leave()
      this.#end()
    }
    return {
      error: this.#failure,
      steps: this.agenda.steps,
      schedule: this.#hash.schedule,
      hash: this.#hash.whole,
      points: this.#plan.counts(tape.choices.length),
      laneSteps: this.#laneSteps,
    }
  }

  /** Where another run of the same tape has gone another way, in words. */
  differsFrom(other: World): string | undefined {
    return this.#hash.differsFrom(other.#hash)
  }

  /** Claims that a condition holds whenever this place is reached. The run fails if it does not, whoever catches what is thrown. */
  always(name: string, condition: boolean, details?: unknown): void {
    this.#claim(() => this.properties.always(name, condition, details))
  }

  /** Claims that this place is never reached. */
  unreachable(name: string, details?: unknown): void {
    this.#claim(() => this.properties.unreachable(name, details))
  }

  /** Claims that a condition holds in at least one of all runs. */
  sometimes(name: string, condition: boolean): void {
    this.properties.sometimes(name, condition)
  }

  /** Claims that this place is reached in at least one of all runs. */
  reachable(name: string): void {
    this.properties.reachable(name)
  }

  #claim(claim: () => void): void {
    try {
      claim()
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)))
      throw error
    }
  }

  /** Something has gone wrong for good; the first such thing counts. */
  fail(error: Error): void {
    this.#failure ??= error
  }

  // Who chooses, and who looks on.

  choose(lanes: readonly Lane[], first: number): number {
    const { strategy, tape } = this.#parts
    const count = lanes.length
    const isPlain = this.#phase === 'check'
    let choice = 0
    if (!isPlain) choice = tape.isGiven ? tape.next(count) : (strategy.choose(lanes, first) - first + count) % count
    if (!isPlain) tape.choices.push(choice)
    const chosen = (first + choice) % count
    this.#hash.chose(lanes[chosen]?.id ?? 0)
    return chosen
  }

  ran(lane: Lane, lanes: readonly Lane[]): void {
    this.#current = lane.owner
    this.#parts.strategy.ran?.(lane, lanes)
    this.#laneSteps.set(lane.name, (this.#laneSteps.get(lane.name) ?? 0) + 1)
  }

  between(): void {
    for (let fault = this.#strikeAt('step'); fault !== undefined; fault = this.#plan.more('step')) this.#strike(fault)
  }

  transition<T>(where: string, run: () => T): T {
    if (this.#current instanceof Object && 'serves' in this.#current) this.#poisoned(where, this.#current as LifeThread) // Threads alone serve.
    const { guards } = this.#parts
    if (guards === undefined) return run()
    guards.enter(where, 'transition')
    try {
      return run()
    } finally {
      guards.enter('the scenario', 'run')
    }
  }

  turnHears(): boolean {
    return this.#strikeAt('turn') === undefined
  }

  #poisoned(where: string, thread: LifeThread): void {
    if (this.#strikeAt('transition') !== undefined) this.#poison.set(where, 3)
    if (this.#poison.size === 0) return
    const left = this.#poison.get(where) ?? 0
    if (left === 0) return
    this.#poison.set(where, left - 1)
    this.#life?.killThread(thread, `poison: ${where}`)
  }

  // Faults.

  /** The fault that strikes at the next point of this sort, if any. */
  #strikeAt(sort: Parameters<FaultPlan['at']>[0]): PlannedFault | undefined {
    return this.#phase === 'check' || this.#phase === 'over' ? undefined : this.#plan.at(sort)
  }

  #strike(fault: PlannedFault): void {
    const life = this.#life
    if (life === undefined || life.isDead) return
    const alive = life.threads.filter(({ isDead, isLeftBehind }) => !isDead && !isLeftBehind)
    const thread = alive[fault.amount % Math.max(1, alive.length)]
    const ms = lengthOf(fault)
    switch (fault.kind) {
      case 'process-kill':
        this.#kill()
        return
      case 'stall':
        this.agenda.skip()
        return
      case 'clock-jump': {
        const jump = (fault.amount & 64) === 0 ? ms : -ms
        if ((fault.amount & 128) === 0 || thread === undefined) this.#skew.ms += jump
        else thread.skewMs += jump
        return
      }
      default:
    }
    if (thread === undefined) return
    if (fault.kind === 'thread-kill') life.killThread(thread, 'it was killed')
    else if (fault.kind === 'slow-consumer') for (const { answers } of thread.wires) this.agenda.pause(answers, ms)
    else {
      this.agenda.pause(thread.lane, ms)
      if (fault.kind === 'paused-owner') thread.giveUp()
    }
  }

  #commit(shard: number, thread: LifeThread, epoch: number, batch: Batch, through: () => Answer<CommitReport>): Answer<CommitReport> {
    const failing = this.#failing.get(shard)
    if (failing !== undefined && failing.left > 0 && this.#phase !== 'check') {
      failing.left -= 1
      throw new StoreUnavailable(failing.fault, 'the simulated disk fails for a while')
    }
    const fault = this.#strikeAt('commit')
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
        this.#kill((fault.amount % 1_000) / 999)
        break
      default:
        if (isAfter) void through()
        this.#kill()
    }
    throw new StoreUnavailable('other', 'whoever wrote here has died')
  }

  // Lives.

  #begin(): void {
    const { disk, options, startAt, tape, isStoreLater, hasMessageFaults, isHashedWhole } = this.#parts
    const life = new Life({
      agenda: this.agenda,
      disk,
      startAt,
      skew: this.#skew,
      random: seededRandom(mixSeed(tape.seed, this.#opened)),
      definitions: this.#parts.definitions,
      options: { ...options, limits: { ...options.limits, batchCommands: tape.batchCommands } },
      isStoreLater,
      commit: (shard, thread, epoch, batch, through) => this.#commit(shard, thread, epoch, batch, through),
      pick: (addresses) => this.#pick(addresses),
      sent: hasMessageFaults ? (text, late) => this.#sent(text, late) : undefined,
      heard: isHashedWhole ? (text) => this.#hash.heard(text) : undefined,
      report: () => undefined,
    })
    this.#life = life
    this.#opened += 1
    life.open().then(
      (system) => {
        if (life.isDead) return
        this.#openTries = 0
        if (this.#parts.tape.faults.length > 0) this.#lookAfter(life, undefined)
        this.#up.resolve(system)
      },
      (error: unknown) => {
        if (!life.isDead) this.#openAgain(life, error)
      },
    )
  }

  /** A process that has been unwell for a minute, for instance because it has given a thread up, is started again. */
  #lookAfter(life: Life, sinceMs: number | undefined): void {
    if (life.isDead || this.#phase === 'over') return
    const isUnwell = life.system?.health().status === 'degraded'
    if (isUnwell && sinceMs !== undefined && this.agenda.now - sinceMs >= UNWELL_MS) this.#kill()
    else this.agenda.setTimer(this.#machine, () => this.#lookAfter(life, isUnwell ? (sinceMs ?? this.agenda.now) : undefined), LOOK_MS)
  }

  /** What cannot be opened while faults strike is tried again, as whoever looks after processes would. */
  #openAgain(life: Life, error: unknown): void {
    life.kill(new ProcessKilled())
    if ((this.#openTries += 1) > OPEN_TRIES_MAX || this.#plan.struck === 0) {
      this.fail(error instanceof Error ? error : new Error(String(error)))
      return
    }
    this.agenda.setTimer(this.#machine, () => this.#begin(), RESTART_MS)
  }

  #kill(torn?: number): void {
    const life = this.#life
    if (life === undefined || life.isDead) return
    if (life.system !== undefined) this.#up = Promise.withResolvers<System>()
    life.kill(new ProcessKilled(), torn)
    if (!this.#wantsDown) this.agenda.post(this.#machine, () => this.#begin())
  }

  #pick(addresses: readonly string[]): number {
    const lanes = addresses.map((address) => this.agenda.lane(`actor ${address}`, 'actors', this))
    const chosen = this.agenda.choose(lanes, 0)
    const lane = lanes[chosen]
    if (lane !== undefined) this.#parts.strategy.ran?.(lane, lanes)
    return chosen
  }

  #sent(text: string, late: (text: string, ms: number) => void): string | undefined {
    return strikeMessage(text, () => this.#strikeAt('message'), late)
  }

  /** From here on nothing strikes, and whatever was paused or full goes on. */
  #calm(): void {
    this.#phase = 'check'
    this.agenda.resume()
    this.#failing.clear()
    this.#poison.clear()
    this.#wantsDown = false
    if (this.#life?.isDead === true) this.agenda.post(this.#machine, () => this.#life?.isDead === true && this.#begin())
  }

  #end(): void {
    this.#phase = 'over'
    this.isDead = true
    this.#life?.kill(OVER)
    this.agenda.dropDead()
    this.#parts.disk.dispose()
  }

  /** Has everything happen until some work is over, or fails, or can go on no more. */
  async #untilSettled(work: () => Promise<void>): Promise<void> {
    let isSettled = false
    const settle = (): void => {
      isSettled = true
    }
    work().then(settle, (error: unknown) => {
      this.fail(error instanceof Error ? error : new Error(`The scenario threw ${String(error)}.`))
      settle()
    })
    const ending = await this.agenda.run(() => isSettled || this.#failure !== undefined)
    if (ending === 'done') return
    const waiting = this.#clients.flatMap(({ doing }) => (doing === undefined ? [] : [doing]))
    this.fail(new SimulationStuck(`${ending}, after ${this.agenda.steps} steps and ${this.agenda.now} ms`, waiting))
  }
}
