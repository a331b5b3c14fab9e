/**
 * Turns on real threads and SQLite files: a thousand random interleavings for each seed. Every actor has a schedule of its
 * own, and many run at a time; threads die under them. What has happened is read afterwards: from the file in which turns and
 * callers wrote, from what the machines heard, and from the turns that the actors show.
 */
import type { Preempt, PreemptMode, System, TurnOutcome, TurnView } from '@bailiwick/kernel'
import { describe, expect, test } from 'vitest'
import { DRAIN_MS, driven, RANKS, readLines, write } from '../fixtures/driven.actor.ts'
import type { Heard, Line, Script } from '../fixtures/driven.actor.ts'
import { codeOf, makePlace, until } from '../fixtures/place.ts'

const ACTORS = 1_000
/** How many schedules are under way at a time. */
const WIDTH = 100
const DEATHS = 2

/** A turn or a command that was asked for. */
interface Order {
  readonly op: number
  readonly command: 'handler' | 'worker' | 'chore' | 'background' | 'pooled' | 'urge' | 'remark'
  readonly rank: number
  readonly preempt: Preempt | undefined
  readonly way: 'ask' | 'tell'
  readonly script: Script | undefined
  isAccepted: boolean
  answer: unknown
}

/** One actor and what was asked of it. */
interface Desk {
  readonly key: string
  readonly orders: Order[]
  /** Whether any of its turns was cancelled by its number, in these modes. */
  readonly cancelledWith: Set<PreemptMode>
}

/** Numbers that look random and are the same for the same seed (Park and Miller). */
function randomFrom(seed: number): () => number {
  let state = seed
  for (let warm = 0; warm < 10; warm += 1) state = (state * 48_271) % 2_147_483_647
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

/** What may be repeated under the same key: the outcome is unknown. */
const UNKNOWN: ReadonlySet<unknown> = new Set(['SHARD_CRASHED', 'STORE_UNAVAILABLE', 'ASK_TIMEOUT'])

/** Everything that happens under one seed. */
class Scene {
  readonly desks: Desk[] = []
  readonly counts = new Map<string, number>()
  readonly log: string
  readonly #system: System
  readonly #random: () => number
  #ops = 0

  constructor(system: System, log: string, seed: number) {
    this.#system = system
    this.log = log
    this.#random = randomFrom(seed)
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  /** Drives one actor through its schedule; resolves when everything that was asked for is acknowledged. */
  async drive(key: string): Promise<void> {
    const desk: Desk = { key, orders: [], cancelledWith: new Set() }
    this.desks.push(desk)
    const under: Promise<void>[] = []
    const operations = 5 + this.#below(3)
    for (let operation = 0; operation < operations; operation += 1) {
      const dice = this.#random()
      if (dice < 0.8) under.push(this.#order(desk))
      else await this.#cancel(desk)
      const wait = this.#below(4)
      if (wait === 1) await new Promise((resolve) => setImmediate(resolve))
      else if (wait === 2) await new Promise((resolve) => setTimeout(resolve, this.#below(8)))
      else if (wait === 3) await under.at(-1)
    }
    await Promise.all(under)
  }

  /** Everything that an actor knows of its turns, once they have ended. */
  async ended(key: string): Promise<readonly TurnView[]> {
    const ref = this.#system.actor(driven, key)
    return await until(
      () => ref.turns({ limit: 1_000 }),
      (turns) => turns.every(({ state }) => state === 'ended'),
      20_000,
    )
  }

  async heard(key: string): Promise<readonly Heard[]> {
    return await this.#system.actor(driven, key).ask.heard()
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound)
  }

  #pick<T>(values: readonly [T, ...T[]]): T {
    return values[this.#below(values.length)] ?? values[0]
  }

  async #order({ key, orders }: Desk): Promise<void> {
    this.#ops += 1
    const op = this.#ops
    const name = this.#pick<Order['command']>(['handler', 'handler', 'worker', 'worker', 'chore', 'background', 'pooled', 'urge', 'remark'])
    const rank = name === 'urge' ? 0 : name === 'remark' || name === 'pooled' ? 1 : RANKS.indexOf(name)
    const order: Order = {
      op,
      command: name,
      rank,
      preempt: this.#pick([undefined, undefined, undefined, 'steal', 'steal', 'abort-keep', 'abort-drop', 'none']),
      way: this.#pick(['ask', 'tell']),
      script:
        name === 'urge' || name === 'remark'
          ? undefined
          : {
              op,
              rank,
              log: this.log,
              steps: this.#below(4),
              stepMs: 2 + this.#below(6),
              manner: this.#pick(['return', 'save', 'save', 'throw', 'finish', ...(this.#below(8) === 0 ? (['linger'] as const) : [])]),
              end: this.#pick(['ok', 'ok', 'ok', 'empty', 'throw', 'retryable']),
            },
      isAccepted: false,
      answer: undefined,
    }
    orders.push(order)
    this.count(name)
    write(this.log, { what: 'asked', key, op })
    for (;;) {
      const answer = await codeOf(this.#send(key, order))
      if (UNKNOWN.has(answer)) {
        this.count(`refused ${String(answer)}`)
        continue
      }
      order.answer = answer
      order.isAccepted = true
      if (order.way === 'tell') write(this.log, { what: 'accepted', key, op })
      return
    }
  }

  async #send(key: string, { op, command: name, preempt, way, script }: Order): Promise<unknown> {
    const methods = this.#system.actor(driven, key)[way]
    const options = { idempotencyKey: `op ${op}`, timeoutMs: 120_000, ...(preempt === undefined ? {} : { preempt }) }
    if (name === 'urge' || name === 'remark') return await methods[name]({ op }, options)
    if (script === undefined) throw new Error('A turn has a script.')
    return await methods[name](script, options)
  }

  async #cancel({ key, cancelledWith }: Desk): Promise<void> {
    const ref = this.#system.actor(driven, key)
    const mode = this.#pick<PreemptMode>(['steal', 'steal', 'abort-keep', 'abort-drop'])
    const isAttemptNamed = this.#below(2) === 0
    const nth = this.#below(4)
    const found = await codeOf(ref.turns({ limit: 4 }))
    const view = Array.isArray(found) ? (found as readonly TurnView[])[nth] : undefined
    // A command that waits for the session is none of the turns that are meant here.
    if (view === undefined || view.command === 'urge' || view.command === 'remark') return
    cancelledWith.add(mode)
    const outcome = await codeOf(ref.cancelTurn(view.turn, { mode, ...(isAttemptNamed ? { attempt: view.attempt } : {}) }))
    this.count(`cancel ${JSON.stringify(outcome)} while ${view.state}`)
  }
}

/** One stretch of running, from the file. */
interface Stretch {
  readonly line: Line
  signal: Line | undefined
  end: Line | undefined
  isDead: boolean
  saved: number | undefined
}

/** What an actor hears of a turn: s started, p parked, r resumed, k cancelled to be kept; d, c, f its end. */
const COURSE = /^(?:s(?:pr)*p?k|s(?:pr)*(?=s))*(?:s(?:pr)*[dfc]|s(?:pr)*pc|c)$/

function letterOf({ what, mode }: Heard): string {
  if (what === 'cancelled') return mode === 'abort-keep' ? 'k' : 'c'
  return what.slice(0, 1)
}

/** Compares what one actor's turns did with what was asked for. */
class Verdict {
  readonly wrong: string[] = []
  readonly #desk: Desk
  readonly #lines: readonly Line[]
  readonly #stretches: Stretch[] = []
  readonly #forced: ReadonlySet<number>
  readonly #scene: Scene

  constructor(scene: Scene, desk: Desk, lines: readonly Line[], heard: readonly Heard[], turns: readonly TurnView[]) {
    this.#scene = scene
    this.#desk = desk
    this.#lines = lines
    this.#forced = new Set(turns.flatMap(({ history }) => history.filter(({ isForced }) => isForced === true).map(({ epoch }) => epoch)))
    for (const [index, line] of lines.entries()) this.#read(line, index)
    this.#checkCourses(heard)
    for (const order of desk.orders) if (!order.isAccepted) this.#wrong(`operation ${order.op} was never acknowledged`)
    if (this.wrong.length > 0)
      this.wrong.push(...lines.map((line) => JSON.stringify(line)), ...heard.map((entry) => JSON.stringify(entry)), JSON.stringify(desk))
  }

  #wrong(what: string): void {
    this.wrong.push(`${this.#desk.key}: ${what}`)
  }

  #read(line: Line, index: number): void {
    if (line.what === 'death') {
      // Its pool dies with a shard's thread; which one that was cannot be seen from here.
      for (const stretch of this.#stretches)
        if (stretch.line.thread === line.thread || stretch.line.isPooled === true) stretch.isDead = true
      return
    }
    if (line.what === 'begin') {
      this.#begin(line, index)
      return
    }
    const stretch = this.#stretches.findLast((one) => one.line.epoch === line.epoch)
    if (stretch === undefined || line.what === 'asked' || line.what === 'accepted') return
    if (line.what === 'signal') stretch.signal = line
    if (line.what === 'end') stretch.end = line
    if (line.what === 'refused') this.#scene.count(`checkpoint refused ${line.code}`)
    if (line.what === 'saved') {
      stretch.saved = line.step
      this.#scene.count('checkpoint taken')
      const successor = this.#stretches.findLast((one) => (one.line.epoch ?? 0) > (line.epoch ?? 0))
      // It may have been confirmed before and written a moment later, but not once it was long over.
      if (line.step === 1_000 && successor !== undefined) this.#wrong(`the stretch of epoch ${line.epoch} wrote a checkpoint after its end`)
    }
  }

  #begin(line: Line, index: number): void {
    this.#scene.count('stretch')
    const { epoch = 0 } = line
    for (const other of this.#stretches) {
      if ((other.line.epoch ?? 0) >= epoch) this.#wrong(`epoch ${epoch} begins after ${other.line.epoch}`)
      const isOut = other.signal !== undefined && line.at - other.signal.at >= DRAIN_MS - 1
      if (other.end === undefined && !other.isDead && !isOut && !this.#forced.has(other.line.epoch ?? 0)) {
        this.#wrong(`epoch ${epoch} begins while ${other.line.epoch} runs`)
      }
    }
    this.#checkOrder(line, index)
    this.#checkResumption(line)
    this.#stretches.push({ line, signal: undefined, end: undefined, isDead: false, saved: undefined })
  }

  /** Nobody was accepted, before this stretch can have been granted, who should have gone first. */
  #checkOrder(line: Line, index: number): void {
    const { orders } = this.#desk
    const order = orders.find(({ op }) => op === line.op)
    if (order === undefined) return
    // It was granted after it was asked for, and after the stretch before it had ended.
    const before = this.#lines.slice(0, index)
    const after = before.findLastIndex(({ what, op }) => what === 'end' || (what === 'asked' && op === line.op))
    const accepted = new Set(
      before
        .slice(0, Math.max(0, after))
        .filter(({ what }) => what === 'accepted')
        .map(({ op }) => op),
    )
    const isFirst = !this.#stretches.some((stretch) => stretch.line.op === line.op)
    for (const other of orders) {
      if (other === order || other.script === undefined || !accepted.has(other.op) || this.#mayBeDropped(other)) continue
      if (this.#stretches.some((stretch) => stretch.line.op === other.op)) continue
      this.#scene.count('others waited')
      const isEarlier =
        isFirst &&
        other.rank === order.rank &&
        before.findIndex(({ what, op }) => what === 'accepted' && op === other.op) <
          before.findIndex(({ what, op }) => what === 'asked' && op === line.op)
      if (other.rank < order.rank || isEarlier)
        this.#wrong(`operation ${line.op} begins in epoch ${line.epoch} before operation ${other.op}`)
    }
  }

  #mayBeDropped({ rank }: Order): boolean {
    const { orders, cancelledWith } = this.#desk
    return cancelledWith.has('abort-drop') || orders.some((other) => other.preempt === 'abort-drop' && other.rank < rank)
  }

  /** It goes on from its last checkpoint, or from its beginning, as it was told. */
  #checkResumption({ op, turn, attempt = 0, step, epoch }: Line): void {
    const last = this.#stretches.findLast((one) => one.line.op === op)
    if (last === undefined || last.line.turn !== turn) {
      if (step !== undefined) this.#wrong(`epoch ${epoch} begins for the first time from ${step}`)
      if (last !== undefined && last.end?.how !== 'throw') this.#wrong(`operation ${op} became another turn`)
      return
    }
    const mode = last.signal?.mode
    if (mode === 'abort-drop') this.#wrong(`epoch ${epoch} begins after the turn was dropped`)
    if (attempt === last.line.attempt) {
      this.#scene.count('resumed')
      if (mode === 'abort-keep') this.#wrong(`epoch ${epoch} resumes although it was to start again`)
      const saved =
        this.#stretches.findLast((one) => one.line.turn === turn && one.line.attempt === attempt && one.saved !== undefined)?.saved ??
        last.line.step
      // A thread that died, or that was ended by force, may have stored one more than it could tell of.
      // One that was stored as its time ran out is confirmed after the hand-over.
      const isConfirmed = this.#lines.some((one) => one.what === 'saved' && one.epoch === last.line.epoch && one.step === step)
      if (step !== saved && !isConfirmed && !last.isDead && !this.#forced.has(last.line.epoch ?? 0))
        this.#wrong(`epoch ${epoch} resumes from ${step}, saved was ${saved}`)
      return
    }
    this.#scene.count('started again')
    if (step !== undefined && last.end?.how !== 'retryable') this.#wrong(`epoch ${epoch} starts again from ${step}`)
  }

  /** Every operation has one end, and its caller got that one. */
  #checkCourses(heard: readonly Heard[]): void {
    const nameless = heard.filter(({ op }) => op === -1).length
    let unheard = 0
    let repeatable = 0
    for (const order of this.#desk.orders) {
      const own = heard.filter(({ op }) => op === order.op)
      if (order.script === undefined) {
        if (own.length !== 1) this.#wrong(`command ${order.op} was handled ${own.length} times`)
        continue
      }
      const turns = [...Map.groupBy(own, ({ turn }) => turn).values()]
      for (const course of turns) {
        const letters = course.map((entry) => letterOf(entry)).join('')
        if (!COURSE.test(letters)) this.#wrong(`operation ${order.op} took the course ${letters}`)
        if (course !== turns.at(-1) && course.at(-1)?.outcome !== 'failed') this.#wrong(`operation ${order.op} was repeated`)
      }
      const end = own.at(-1)
      this.#scene.count(`end ${end?.what ?? 'cancelled before it began'}`)
      if (end === undefined) unheard += 1
      if (end?.outcome === 'failed') repeatable += 1
      if (order.way === 'tell' || end === undefined) continue
      const { outcome } = order.answer as TurnOutcome<unknown>
      const expected = end.what === 'done' ? 'ok' : end.outcome
      if (outcome !== expected && !(outcome === 'cancelled' && end.outcome === 'failed')) {
        this.#wrong(`operation ${order.op} was answered ${JSON.stringify(order.answer)}`)
      }
    }
    if (nameless < unheard || nameless > unheard + repeatable)
      this.#wrong(`${unheard} never began, ${nameless} were cancelled before they did`)
  }
}

describe('random interleavings of turns on real threads', () => {
  // Many more run under simulation: see test/concurrency.
  test.for(process.env['BAILIWICK_SLOW'] === '1' ? [1, 2, 3] : [1])(
    `K32 ${ACTORS} of them under seed %i keep one owner, the order of ranks, growing epochs, frames, and one end for each`,
    { timeout: 120_000 },
    async (seed) => {
      const begun = performance.now()
      const { open, file } = makePlace()
      // The machine does not die here: nothing has to wait for the disk.
      const system = await open({ actors: [driven], shards: 2, synchronous: 'normal' })
      const scene = new Scene(system, file('log'), seed)
      let next = 0
      let deaths = 0
      const drive = async (): Promise<void> => {
        while (next < ACTORS) {
          next += 1
          await scene.drive(`k${next}`)
          if (deaths < DEATHS && next > WIDTH + (deaths * (ACTORS - WIDTH)) / DEATHS) {
            deaths += 1
            void codeOf(system.actor(driven, `reaper ${deaths}`).ask.die({ log: scene.log }))
          }
        }
      }
      await Promise.all(Array.from({ length: WIDTH }, drive))
      const told = await Promise.all(
        scene.desks.map(async (desk) => {
          const turns = await scene.ended(desk.key)
          return { desk, turns, heard: await scene.heard(desk.key) }
        }),
      )
      const lines = readLines(scene.log)
      const died = lines.filter(({ what }) => what === 'death')
      const byKey = new Map<string, Line[]>(scene.desks.map(({ key }) => [key, []]))
      for (const line of lines) {
        if (line.what === 'death') for (const own of byKey.values()) own.push(line)
        else byKey.get(line.key)?.push(line)
      }
      const wrong = told.flatMap(({ desk, heard, turns }) => new Verdict(scene, desk, byKey.get(desk.key) ?? [], heard, turns).wrong)
      expect(wrong.slice(0, 200).join('\n')).toBe('')
      expect(died).toHaveLength(DEATHS)
      expect(system.stats()).toMatchObject({ turns: { running: 0 }, pendingCalls: 0 })
      const { turns, lateResults } = system.stats()
      console.log(`seed ${seed}: ${scene.desks.length} interleavings in ${Math.round(performance.now() - begun)} ms`, {
        turns,
        lateResults,
        ...Object.fromEntries(scene.counts),
      })
    },
  )
})
