/**
 * One run: a machine, clients that call it, and a tape that decides.
 *
 * 1. The process is started, the system opened.
 * 2. The scenario runs: clients call, faults strike, the process is started again when it has died.
 * 3. Nothing strikes any more; what is left comes to rest, and the check looks at it.
 */
import { encodeKey } from '@bailiwick/kernel'
import type { ActorDefinition, ActorKey, System } from '@bailiwick/kernel'
import type { HistoryEvent } from '../histories/history.ts'
import { Agenda } from './agenda.ts'
import type { AgendaLimits, Director, Ending, Lane, Owner } from './agenda.ts'
import { AwaitedPromise } from './awaited.ts'
import { SimulatedClient } from './client.ts'
import type { Client, ClientWorld } from './client.ts'
import { InvalidSimulation, requireMs, ScenarioLeft, SimulationStuck } from './errors.ts'
import type { Strike } from './failure.ts'
import type { Guards } from './guards.ts'
import type { Onlooker } from './instrument.ts'
import { Machine } from './machine.ts'
import type { MachineParts } from './machine.ts'
import type { Properties } from './properties.ts'
import { RunHash } from './run-hash.ts'
import type { Strategy } from './strategies/strategy.ts'

/** What a run is made of. */
export interface WorldParts extends Omit<MachineParts, 'agenda' | 'heard' | 'pick' | 'struck' | 'failed'> {
  /** Who chooses what the tape leaves open. */
  readonly strategy: Strategy
  readonly limits: AgendaLimits
  readonly properties: Properties
  readonly guards: Guards | undefined
  /** What takes part in the comparison of two runs: also what is said, instead of only who goes when. */
  readonly isHashedWhole: boolean
}

/** What a run has come to. */
export interface RunResult {
  readonly error: Error | undefined
  /** The system could not even be opened, and no fault is to blame. */
  readonly isUnopened: boolean
  readonly steps: number
  /** Which interleaving it was. */
  readonly schedule: number
  readonly hash: number
  /** Points of each sort, and steps of each lane. */
  readonly points: ReadonlyMap<string, number>
  readonly laneSteps: ReadonlyMap<string, number>
}

/** What happens in a run. */
export type Scenario = (world: World) => Promise<void>

/** What must be true after a run: throws or rejects, or answers false, if it is not. Anything else that it answers does not matter. */
export type Check = (world: World) => unknown

const REST_LOOK_MS = 500
const REST_MS = 600_000
const WORK_LANES = 16
const EVENTUALLY_LOOK_MS = 100
/** How long faults may go on to strike while what the scenario has left comes to rest. */
const DRAIN_MS = 60_000
const OUTSIDE = 'code outside of transitions (scenario, check, effect or turn)'
const ENDINGS: Readonly<Record<Exclude<Ending, 'done'>, string>> = {
  'nothing left': 'nothing can happen any more',
  'too many steps': 'it has made as many steps as its limits allow',
  'too much time': 'as much virtual time has passed as its limits allow',
}

/** A simulated world, as a scenario and a check see it. */
export class World implements Director, Onlooker, ClientWorld, Owner {
  isDead = false
  readonly agenda: Agenda
  /** What clients have called and heard. */
  readonly history: HistoryEvent[] = []
  /** Which faults have struck whom, and where in the history. */
  readonly strikes: Strike[] = []
  readonly properties: Properties
  readonly #parts: WorldParts
  readonly #machine: Machine
  readonly #clients: SimulatedClient[] = []
  readonly #begun: { readonly what: string; readonly promise: AwaitedPromise<unknown> }[] = []
  readonly #hash = new RunHash()
  readonly #laneSteps = new Map<string, number>()
  readonly #lane: Lane
  #phase: 'opening' | 'scenario' | 'check' | 'over' = 'opening'
  #failure: Error | undefined
  #isUnopened = false
  #processes = 0
  #workers = 0
  #current: Owner | undefined

  constructor(parts: WorldParts) {
    this.#parts = parts
    this.properties = parts.properties
    this.agenda = new Agenda(this, parts.limits)
    this.#lane = this.agenda.lane('scenario', 'scenario', this)
    this.#machine = new Machine({
      ...parts,
      agenda: this.agenda,
      heard: parts.isHashedWhole ? (text) => this.#hash.heard(text) : undefined,
      pick: (addresses) => this.#pick(addresses),
      struck: (kind, whom) => this.strikes.push({ kind, whom, time: this.agenda.now, at: this.history.length }),
      failed: (error) => {
        this.#isUnopened = this.#phase === 'opening'
        this.fail(error)
      },
    })
  }

  // What scenarios and checks use.

  /** The system that is open now. What is called on it is no step, and stands in no history. Throws `ProcessDown` while none is open. */
  get system(): System {
    return this.#machine.system
  }

  /** Virtual time in milliseconds since 1970, as the machine's clock shows it. */
  get time(): number {
    return this.#parts.startAt + this.agenda.now + this.#machine.skew.ms
  }

  /** How often the process was started. */
  get lives(): number {
    return this.#machine.lives
  }

  /** A new client. Names are for reports; by default they are numbered. */
  client(name = `client ${this.#clients.length + 1}`): Client {
    const lane = this.agenda.lane(name, 'clients', this)
    const client = new SimulatedClient(this, name, lane, () => (this.#processes += 1) - 1)
    this.#clients.push(client)
    return client
  }

  /**
   * Has several clients do something at the same time: so many the one piece of work, or each its own. Resolves when all are
   * done; rejects with the first error. Throws `InvalidSimulation`.
   */
  together(count: number, work: (client: Client, index: number) => Promise<void>): Promise<void>
  together(...work: readonly ((client: Client) => Promise<void>)[]): Promise<void>
  together(
    first: number | ((client: Client) => Promise<void>),
    ...rest: readonly ((client: Client, index: number) => Promise<void>)[]
  ): Promise<void> {
    return this.expectAwaited('clients were set to work together', this.#together(first, rest))
  }

  async #together(
    first: number | ((client: Client) => Promise<void>),
    rest: readonly ((client: Client, index: number) => Promise<void>)[],
  ): Promise<void> {
    const isCount = typeof first === 'number'
    if (isCount && !(Number.isSafeInteger(first) && first >= 1)) {
      throw new InvalidSimulation('together', `must be of a whole number from 1, not ${first}`)
    }
    const [each] = rest
    const all = isCount ? Array.from({ length: first }, () => each) : [first, ...rest]
    await Promise.all(
      all.map(async (work, index) => {
        if (typeof work !== 'function') throw new InvalidSimulation('together', 'must be given what the clients do: a function')
        const client = this.client()
        await client.yield()
        await work(client, index)
      }),
    )
  }

  /** Waits for so much virtual time. */
  async sleep(ms: number): Promise<void> {
    requireMs('sleep', ms)
    await new Promise<void>((resolve) => void this.agenda.setTimer(this.#lane, resolve, ms))
  }

  /**
   * Takes so much virtual time, as part of the process: for what stands in for the outside world in turns and effects. If the
   * process dies meanwhile, this never returns, so what would have come after does not happen. Rejects when the signal fires.
   */
  async workFor(ms: number, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    requireMs('workFor', ms)
    const lane = this.agenda.lane(`work ${this.#workers % WORK_LANES}`, 'work', this.#machine.owner)
    this.#workers += 1
    await new Promise<void>((resolve, reject) => {
      const timer = this.agenda.setTimer(lane, resolve, ms)
      const abort = (): void => {
        timer.cancel()
        reject(signal?.reason instanceof Error ? signal.reason : new Error('The work was interrupted.'))
      }
      if (signal?.aborted === true) abort()
      else signal?.addEventListener('abort', abort, { once: true })
    })
  }

  /** A source of unsigned 32-bit integers, from the tape. Streams of different names are independent of each other. */
  draws(stream: string): () => number {
    return this.#parts.tape.stream(stream)
  }

  /** A whole number from 0 up to, and without, `below`. */
  draw(stream: string, below: number): number {
    if (!Number.isSafeInteger(below) || below < 1) throw new InvalidSimulation('draw', `must be below a whole number from 1, not ${below}`)
    return this.draws(stream)() % below
  }

  /** True once in so many times; false when a failing run is made smaller. For stand-ins that fail now and then. */
  chance(stream: string, oneIn: number): boolean {
    return this.draw(stream, oneIn) === oneIn - 1
  }

  /** Writes a line into the report of the run, among what clients call and hear. */
  note(text: string): void {
    if (this.#phase !== 'over') this.strikes.push({ kind: 'note', whom: text, time: this.agenda.now, at: this.history.length })
  }

  /**
   * Claims that something comes true within so much virtual time, a minute by default; looks again and again. The run fails if
   * it does not.
   */
  async eventually(
    name: string,
    isTrue: () => Promise<boolean> | boolean,
    { withinMs = 60_000 }: { readonly withinMs?: number } = {},
  ): Promise<void> {
    const until = this.agenda.now + withinMs
    let isSo = await isTrue()
    while (!isSo && this.agenda.now < until) {
      await this.sleep(Math.min(EVENTUALLY_LOOK_MS, until - this.agenda.now))
      isSo = await isTrue()
    }
    this.always(name, isSo, () => `not within ${withinMs} ms`)
  }

  /** Whether a part of the scenario is to happen; always, until a failing run is made smaller. Name each part once. */
  keeps(part: string): boolean {
    return this.#parts.tape.keeps(part)
  }

  /** Kills the process. It stays down until `restart`. */
  crash(): void {
    this.#machine.kill(true)
  }

  /** Kills the thread of a shard; the system starts another. */
  crashThread(shard = 0): void {
    this.#machine.killThreadOf(shard)
  }

  /** Starts the process again after `crash`. Resolves when the system is open. */
  async restart(): Promise<System> {
    this.#machine.ensureStarted()
    return await this.#machine.up()
  }

  /**
   * Waits until every shard serves and nothing waits to be handled or delivered, for at most ten virtual minutes unless
   * something else is said. Before the check this has happened.
   */
  async rest(maxMs: number = REST_MS): Promise<void> {
    // Time passes only when nobody can go on: what is on its way has arrived by then.
    await this.sleep(1)
    for (let waitedMs = 0; waitedMs <= maxMs; waitedMs += REST_LOOK_MS) {
      const system = await this.#machine.up()
      const { lanes, outbox } = system.stats()
      if (system.health().status === 'ready' && outbox === 0 && Object.values(lanes).every(({ depth }) => depth === 0)) return
      await this.sleep(REST_LOOK_MS)
    }
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

  // What clients need.

  refOf(definition: ActorDefinition, key: ActorKey): Record<string, unknown> {
    return this.system.actor(definition, key) as unknown as Record<string, unknown> // A ref has methods by name, and nothing else is read here.
  }

  addressOf(definition: ActorDefinition, key: ActorKey): string {
    return `${definition.type}/${encodeKey(definition.type, key)}`
  }

  record(event: Omit<HistoryEvent, 'index' | 'time'>): void {
    if (this.#phase !== 'over') this.history.push({ index: this.history.length, time: this.agenda.now, ...event })
  }

  async whileAlive<T>(work: () => Promise<T>): Promise<T> {
    return await this.#machine.whileAlive(work)
  }

  async throughNetwork(lane: Lane, send: () => Promise<unknown>): Promise<unknown> {
    return await this.#machine.throughNetwork(lane, send)
  }

  expectAwaited<T>(what: string, promise: Promise<T>): Promise<T> {
    const looking = AwaitedPromise.of(promise)
    if (this.#phase !== 'over') this.#begun.push({ what, promise: looking })
    return looking
  }

  // The run itself.

  /** Runs scenario and check. Never rejects. */
  async run(scenario: Scenario, check: Check | undefined): Promise<RunResult> {
    const { guards, tape } = this.#parts
    this.agenda.onYield = guards && { leave: () => guards.leave(), enter: () => guards.enter(OUTSIDE, 'run') }
    guards?.enter(OUTSIDE, 'run')
    try {
      this.#machine.start()
      await this.#untilSettled('The system', async () => void (await this.#machine.up()))
      this.#phase = 'scenario'
      if (this.#failure === undefined) await this.#untilSettled('The scenario', async () => await scenario(this))
      if (this.#failure === undefined) this.#requireAllAwaited()
      // What the scenario has left to be done, such as an effect, may meet faults as well.
      if (this.#failure === undefined && this.#parts.mayStrike)
        await this.#untilSettled('What the scenario has left', () => this.rest(DRAIN_MS))
      this.#phase = 'check'
      this.#machine.calm()
      if (this.#failure === undefined && check !== undefined) await this.#untilSettled('The check', async () => await this.#runCheck(check))
    } finally {
      guards?.leave()
      this.#phase = 'over'
      this.isDead = true
      this.#machine.end()
      this.agenda.dropDead()
    }
    return {
      error: this.#failure,
      isUnopened: this.#isUnopened,
      steps: this.agenda.steps,
      schedule: this.#hash.schedule,
      hash: this.#hash.whole,
      points: this.#machine.plan.counts(tape.choices.length),
      laneSteps: this.#laneSteps,
    }
  }

  /** Something has gone wrong for good; the first such thing counts. */
  fail(error: Error): void {
    this.#failure ??= error
  }

  /** Where another run of the same tape has gone another way, in words; undefined if nothing that is kept differs. */
  differsFrom(other: World): string | undefined {
    const at = this.history.findIndex((event, index) => JSON.stringify(event) !== JSON.stringify(other.history[index]))
    if (at === -1 && this.history.length === other.history.length) return this.#hash.differsFrom(other.#hash)
    const place = at === -1 ? this.history.length : at
    return `line ${place} of the history is ${describeEvent(this.history[place])} in one and ${describeEvent(other.history[place])} in the other`
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
    this.#machine.strike()
  }

  transition<T>(where: string, run: () => T): T {
    if (this.#current !== undefined) this.#machine.serves(this.#current, where)
    const { guards } = this.#parts
    if (guards === undefined) return run()
    guards.enter(where, 'transition')
    try {
      return run()
    } finally {
      guards.enter(OUTSIDE, 'run')
    }
  }

  turnHears(): boolean {
    return this.#machine.strikeAt('turn') === undefined
  }

  #pick(addresses: readonly string[]): number {
    const lanes = addresses.map((address) => this.agenda.lane(`actor ${address}`, 'actors', this))
    const chosen = this.agenda.choose(lanes, 0)
    const lane = lanes[chosen]
    if (lane !== undefined) this.#parts.strategy.ran?.(lane, lanes)
    return chosen
  }

  #claim(claim: () => void): void {
    try {
      claim()
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)))
      throw error
    }
  }

  #requireAllAwaited(): void {
    const left = this.#begun.filter(({ promise }) => !promise.isAwaited).map(({ what }) => what)
    if (left.length > 0) this.fail(new ScenarioLeft(left))
  }

  async #runCheck(check: Check): Promise<void> {
    await this.rest()
    if ((await check(this)) === false) throw new Error('The check answered false.')
  }

  #waiting(): readonly string[] {
    return this.#clients.flatMap(({ doing }) => doing)
  }

  /** Has everything happen until some work is over, or fails, or can go on no more. */
  async #untilSettled(who: string, work: () => Promise<void>): Promise<void> {
    let isSettled = false
    const settle = (): void => {
      isSettled = true
    }
    work().then(settle, (error: unknown) => {
      this.fail(error instanceof Error ? error : new Error(`${who} threw ${String(error)}.`))
      settle()
    })
    const ending = await this.agenda.run(() => isSettled || this.#failure !== undefined)
    if (ending === 'done') return
    const { now, steps } = this.agenda
    const why = `${ENDINGS[ending]}, after ${steps} steps and ${now} ms`
    this.fail(
      new SimulationStuck(who, why, this.#waiting(), { isEndless: ending === 'too many steps', isKeptDown: this.#machine.isKeptDown }),
    )
  }
}

function describeEvent(event: HistoryEvent | undefined): string {
  return event === undefined
    ? 'absent'
    : `${event.by ?? event.process} ${event.type} ${event.key ?? ''} ${event.f} ${JSON.stringify(event.value)}`
}
