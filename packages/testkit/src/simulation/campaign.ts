/** Many runs of one scenario: what is drawn for each, what they add up to, and the means to play one again. */
import type { ActorDefinition } from '@bailiwick/kernel'
import { seededRandom } from '../seeded-random.ts'
import { memoryDisk } from './disks/memory.ts'
import type { SimulatedDisk } from './disks/disk.ts'
import { sqliteDisk } from './disks/sqlite.ts'
import { NotDeterministic } from './errors.ts'
import { kindsOf, sortOf } from './faults.ts'
import type { FaultKind } from './faults.ts'
import type { Guards } from './guards.ts'
import { instrumented } from './instrument.ts'
import type { SimulationOptions } from './options.ts'
import { Properties } from './properties.ts'
import { strategiesOf } from './strategies/portfolio.ts'
import type { Estimate, Strategy } from './strategies/strategy.ts'
import { mixSeed, Tape } from './tape.ts'
import type { PlannedFault, TapeText } from './tape.ts'
import { World } from './world.ts'
import type { RunResult } from './world.ts'

/** A run that is over. */
export interface Run {
  readonly result: RunResult
  readonly tape: Tape
  readonly world: World
  /** Name of the strategy that has led it. */
  readonly strategy: string
}

/** Sizes of batches that runs draw from: small ones let others in between, large ones commit much at once. */
const BATCHES = [1, 1, 1, 2, 4, 256]
const DEFAULT_POINTS = 30
const DISTINCT_MAX = 2_000_000
const START_AT = Date.UTC(2030, 0, 1)

/** The runs of one scenario. */
export class Campaign {
  readonly properties: Properties
  readonly faults: ReadonlyMap<FaultKind, number>
  readonly #faults = new Map<FaultKind, number>()
  runs = 0
  steps = 0
  readonly #options: SimulationOptions
  readonly #guards: Guards | undefined
  readonly #definitions: readonly ActorDefinition[]
  readonly #kinds: readonly FaultKind[]
  readonly #strategies: Strategy[]
  readonly #schedules = new Set<number>()
  readonly #pointSums = new Map<string, number>()
  readonly #laneSums = new Map<string, number>()
  #world: World | undefined

  constructor(options: SimulationOptions, guards: Guards | undefined) {
    this.#options = options
    this.faults = this.#faults
    this.#guards = guards
    this.properties = new Properties({ declared: options.properties ?? [] })
    this.#kinds = kindsOf(options.faults ?? 'none')
    this.#strategies = [...strategiesOf(options.strategy ?? 'portfolio')]
    // Definitions are rebuilt once for all runs; which run they tell changes.
    const onlooker = {
      transition: <T>(where: string, run: () => T): T => (this.#world === undefined ? run() : this.#world.transition(where, run)),
      turnHears: () => this.#world?.turnHears() ?? true,
    }
    this.#definitions = options.actors.map((definition) => instrumented(definition, onlooker))
  }

  /** How many runs differed from all others in who went when; counted up to two million. */
  get distinct(): number {
    return this.#schedules.size
  }

  /** Whether there is nothing left to try. */
  get isExhausted(): boolean {
    return this.#strategies.length === 0
  }

  /** Where something in the present run was called from that no schedule knows of. */
  stray(error: Error): void {
    this.#world?.fail(error)
  }

  /** The next run, as the strategies want it. */
  async next(): Promise<Run> {
    const index = this.runs
    const seed = mixSeed(this.#options.seed ?? 1, index)
    const random = seededRandom(seed)
    const position = index % this.#strategies.length
    const strategy = this.#strategies[position]
    if (strategy === undefined) throw new RangeError('there is nothing left to try')
    const batchCommands = this.#options.batchCommands ?? BATCHES[Math.floor(random() * BATCHES.length)] ?? 1
    strategy.begin(random, this.#estimate())
    const tape = new Tape({ seed, batchCommands, faults: this.#drawFaults(random) })
    const run = await this.#run(tape, strategy, this.properties)
    this.#add(run)
    if (strategy.end?.() === false) this.#strategies.splice(position, 1)
    return run
  }

  /** Plays a tape. `isWhole`: everything that is said is part of the hash. */
  async play(text: TapeText, isWhole = false): Promise<Run> {
    return await this.#run(new Tape(text, text), replaying, new Properties(), isWhole)
  }

  /** Plays a run twice. Throws `NotDeterministic` if the two differ, or differ from the run itself. */
  async audit(run: Run): Promise<void> {
    const text = run.tape.text()
    const first = await this.play(text, true)
    const second = await this.play(text, true)
    const from = first.world.differsFrom(second.world)
    if (first.result.hash !== second.result.hash) throw new NotDeterministic(from ?? 'they differ in what is not traced')
    if (first.result.schedule !== run.result.schedule)
      throw new NotDeterministic(run.world.differsFrom(first.world) ?? 'somebody else went on')
  }

  async #run(tape: Tape, strategy: Strategy, properties: Properties, isWhole = false): Promise<Run> {
    const options = this.#options
    const { shards = 1, effects } = options
    const world = new World({
      tape,
      strategy,
      definitions: this.#definitions,
      options: { ...options.open, actors: options.actors, shards, ...(effects === undefined ? {} : { effects }) },
      disk: this.#disk(shards),
      limits: { steps: options.limits?.steps ?? 20_000, ms: options.limits?.ms ?? 3_600_000 },
      startAt: START_AT,
      properties,
      guards: this.#guards,
      isStoreLater: options.answers === 'later',
      mayStrike: this.#kinds.length > 0,
      hasMessageFaults: this.#kinds.some((kind) => sortOf(kind) === 'message'),
      // On files, what is said names the folder of the day.
      isHashedWhole: isWhole && options.disk !== 'sqlite',
    })
    this.#world = world
    const result = await world.run(options.scenario, options.check)
    this.#world = undefined
    return { result, tape, world, strategy: strategy.name }
  }

  #disk(shards: number): SimulatedDisk {
    const { disk = 'memory', synchronous = 'full' } = this.#options
    return disk === 'memory' ? memoryDisk({ shards, synchronous }) : sqliteDisk({ shards, synchronous })
  }

  #drawFaults(random: () => number): readonly PlannedFault[] {
    if (this.#kinds.length === 0) return []
    const count = Math.floor(random() * ((this.#options.maxFaults ?? 3) + 1))
    return Array.from({ length: count }, () => {
      const kind = this.#kinds[Math.floor(random() * this.#kinds.length)] ?? 'process-kill'
      const points = this.#average(this.#pointSums, sortOf(kind))
      return { kind, at: Math.floor(random() * points), amount: Math.floor(random() * 2 ** 32) }
    })
  }

  #estimate(): Estimate {
    const steps = new Map<string, number>()
    for (const [lane, sum] of this.#laneSums) steps.set(lane, sum / Math.max(1, this.runs))
    return { choices: this.#average(this.#pointSums, 'choice'), steps }
  }

  #average(sums: ReadonlyMap<string, number>, name: string): number {
    return this.runs === 0 ? DEFAULT_POINTS : Math.max(1, (sums.get(name) ?? 0) / this.runs)
  }

  #add({ result, tape }: Run): void {
    this.runs += 1
    this.steps += result.steps
    if (this.#schedules.size < DISTINCT_MAX) this.#schedules.add(result.schedule)
    for (const { kind } of tape.struck) this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1)
    for (const [sort, count] of result.points) this.#pointSums.set(sort, (this.#pointSums.get(sort) ?? 0) + count)
    for (const [lane, count] of result.laneSteps) this.#laneSums.set(lane, (this.#laneSums.get(lane) ?? 0) + count)
  }
}

/** Whoever leads a run that is on a tape: nobody asks it. */
const replaying: Strategy = { name: 'replay', begin: () => undefined, choose: (_lanes, first) => first }
