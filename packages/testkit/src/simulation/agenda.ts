/**
 * The agenda: what could happen next, in virtual time, and the loop that has it happen, one step after the other.
 *
 * Work waits in lanes. A lane is whatever goes on in an order of its own (a shard, the way from a shard to its caller, a
 * client), so only the first of each lane can be next, and who that is is the choice. A step is a piece of work together with
 * every promise continuation that follows from it; only then comes the next one. Time stands still while any lane can go on.
 */
import type { Timer } from '@bailiwick/kernel/seams'
import { TimerQueue } from './timer-queue.ts'

/** Something with an order of its own. */
export class Lane {
  readonly name: string
  readonly id: number
  /** Steps of two lanes that touch the same do not commute. */
  readonly touches: string
  /** Who it ends with. */
  readonly owner: Owner
  readonly #tasks: (() => void)[] = []
  #head = 0
  isPaused = false

  constructor(name: string, id: number, touches: string, owner: Owner) {
    this.name = name
    this.id = id
    this.touches = touches
    this.owner = owner
  }

  get isEmpty(): boolean {
    return this.#head === this.#tasks.length
  }

  push(task: () => void): void {
    this.#tasks.push(task)
  }

  shift(): (() => void) | undefined {
    const task = this.#tasks[this.#head]
    this.#head += 1
    if (this.#head >= this.#tasks.length) {
      this.#tasks.length = 0
      this.#head = 0
    }
    return task
  }
}

/** Something that dies: with it goes everything that waits for it. */
export interface Owner {
  isDead: boolean
}

/** Who decides, and who looks on. */
export interface Director {
  /** Chooses among at least two lanes; `first` is the position of the plainest choice. */
  choose(lanes: readonly Lane[], first: number): number
  /** A lane goes on; `lanes` are all that could. */
  ran(lane: Lane, lanes: readonly Lane[]): void
  /** Between two steps. */
  between(): void
}

/** How far a run may go. */
export interface AgendaLimits {
  readonly steps: number
  /** Virtual time, in milliseconds. */
  readonly ms: number
}

/** How a loop has ended: what it waited for has happened; nothing can happen any more; or a limit was reached. */
export type Ending = 'done' | 'nothing left' | 'too many steps' | 'too much time'

/** The real world's time, taken before anybody can replace it: the loop lets it in now and then. */
const realNow = performance.now.bind(performance)
const realImmediate = setImmediate
const realTick = process.nextTick.bind(process)
const YIELD_MS = 25
let yieldedAt = 0

/** Everything that could happen next. */
export class Agenda {
  /** Virtual milliseconds since the beginning. */
  now = 0
  steps = 0
  readonly #director: Director
  readonly #limits: AgendaLimits
  readonly #lanes = new Map<string, Lane>()
  readonly #timers = new TimerQueue()
  readonly #paused = new Set<Lane>()
  /** Lanes that can go on, in the order in which they could. */
  #ready: Lane[] = []
  #afterTurn: (() => void)[] = []
  /** Told before the real world has its turn, and after. */
  onYield: { leave(): void; enter(): void } | undefined
  #last: Lane | undefined

  constructor(director: Director, limits: AgendaLimits) {
    this.#director = director
    this.#limits = limits
  }

  /** The owner's lane of this name, which is made if there is none. */
  lane(name: string, touches: string, owner: Owner): Lane {
    const known = this.#lanes.get(name)
    if (known?.owner === owner) return known
    // Whoever takes the place of another one is the same to those who choose.
    const lane = new Lane(name, known?.id ?? this.#lanes.size, touches, owner)
    this.#lanes.set(name, lane)
    return lane
  }

  /** Adds work at the end of a lane. */
  post(lane: Lane, task: () => void): void {
    if (lane.owner.isDead) return
    if (lane.isEmpty && !lane.isPaused) this.#ready.push(lane)
    lane.push(task)
  }

  /** Adds work to a lane after so much virtual time. */
  setTimer(lane: Lane, task: () => void, delayMs: number): Timer {
    return this.#timers.add(this.now + Math.max(0, delayMs), () => this.post(lane, task))
  }

  /** Calls back when the present step is over. */
  afterTurn(task: () => void): void {
    this.#afterTurn.push(task)
  }

  /** Keeps a lane from going on for so much virtual time. */
  pause(lane: Lane, ms: number): void {
    if (lane.isPaused || lane.owner.isDead) return
    lane.isPaused = true
    this.#paused.add(lane)
    this.#ready = this.#ready.filter((other) => other !== lane)
    this.#timers.add(this.now + ms, () => this.#resume(lane))
  }

  /** Ends every pause. */
  resume(): void {
    for (const lane of this.#paused) this.#resume(lane)
  }

  #resume(lane: Lane): void {
    if (!this.#paused.delete(lane)) return
    lane.isPaused = false
    if (!lane.isEmpty && !lane.owner.isDead) this.#ready.push(lane)
  }

  /** Forgets what waits for those who have died. */
  dropDead(): void {
    this.#ready = this.#ready.filter(({ owner }) => !owner.isDead)
    if (this.#last?.owner.isDead === true) this.#last = undefined
  }

  /** Lets time pass to the next timer although somebody could go on. */
  skip(): void {
    this.#passTime()
  }

  /** Has one thing happen after the other until `isDone`. */
  async run(isDone: () => boolean): Promise<Ending> {
    for (;;) {
      await this.#settle()
      if (isDone()) return 'done'
      if (this.steps >= this.#limits.steps) return 'too many steps'
      this.#director.between()
      const lane = this.#next()
      if (lane === undefined) {
        if (this.now > this.#limits.ms) return 'too much time'
        if (this.#passTime()) continue
        // What has just struck may have made somebody go on.
        await this.#settle()
        if (isDone()) return 'done'
        if (this.#ready.length === 0 && this.#timers.nextDueAt() === undefined) return 'nothing left'
        continue
      }
      this.steps += 1
      const task = lane.shift()
      if (lane.isEmpty) this.#ready.splice(this.#ready.indexOf(lane), 1)
      this.#last = lane
      task?.()
    }
  }

  /** Counts what was chosen elsewhere, such as which actor a shard serves next, as a step. */
  choose(lanes: readonly Lane[], first: number): number {
    const chosen = this.#director.choose(lanes, first)
    this.steps += 1
    return chosen
  }

  #next(): Lane | undefined {
    const ready = this.#ready
    if (ready.length === 0) return undefined
    const last = this.#last === undefined ? -1 : ready.indexOf(this.#last)
    const first = last === -1 ? 0 : last
    const lane = ready.length === 1 ? ready[0] : ready[this.#director.choose(ready, first)]
    if (lane !== undefined) this.#director.ran(lane, ready)
    return lane
  }

  /** Jumps to the next moment at which something is due. False if there is none. */
  #passTime(): boolean {
    const dueAt = this.#timers.nextDueAt()
    if (dueAt === undefined) return false
    this.now = Math.max(this.now, dueAt)
    this.#timers.ring(this.now)
    return true
  }

  /** Lets every promise continuation run, and what was to come after them. */
  async #settle(): Promise<void> {
    await drained()
    while (this.#afterTurn.length > 0) {
      const tasks = this.#afterTurn
      this.#afterTurn = []
      for (const task of tasks) task()
      await drained()
    }
    if ((this.steps & 127) !== 0) return
    const now = realNow()
    if (now - yieldedAt < YIELD_MS) return
    this.onYield?.leave()
    await new Promise((resolve) => realImmediate(resolve))
    this.onYield?.enter()
    yieldedAt = realNow()
  }
}

/**
 * Resolves when no promise continuation is left. Node.js empties the queue of continuations before it turns to the next tick,
 * also those that continuations have added; and whoever awaits this is a continuation.
 */
async function drained(): Promise<void> {
  await new Promise<void>((resolve) => realTick(resolve))
}
