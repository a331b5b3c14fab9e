/**
 * Makes a failing run smaller: faults first, then commands, then values, then context switches. Whatever still fails in the
 * same way is kept; each round begins with what the last one has recorded, until nothing can be cut any more.
 */
import type { TapeText } from './tape.ts'

/** A run that failed, as it was recorded. */
export interface FailedRun {
  readonly text: TapeText
  /** What was drawn, by stream. */
  readonly values: Readonly<Record<string, readonly number[]>>
  /** Commands that were sent and can be left out. */
  readonly commands: readonly string[]
}

/** Plays a tape; answers what was recorded if it fails in the same way, and `undefined` if it does not. */
export type Play = (text: TapeText) => Promise<FailedRun | undefined>

/** Smaller and smaller runs. */
class Shrinking {
  best: FailedRun
  runs = 0
  readonly #play: Play
  readonly #max: number

  constructor(first: FailedRun, play: Play, max: number) {
    this.best = first
    this.#play = play
    this.#max = max
  }

  get isSpent(): boolean {
    return this.runs >= this.#max
  }

  /** Plays a candidate; keeps it if it fails in the same way. */
  async attempt(change: Partial<TapeText>): Promise<boolean> {
    if (this.isSpent) return false
    this.runs += 1
    const run = await this.#play({ ...this.best.text, ...change })
    if (run === undefined) return false
    this.best = run
    return true
  }

  /** Cuts as many entries of a list as can be: halves, then quarters, down to single ones. */
  async cut<T>(list: () => readonly T[], change: (left: readonly T[]) => Partial<TapeText>): Promise<void> {
    for (let size = list().length; size >= 1; size = Math.floor(size / 2)) {
      for (let start = 0; start < list().length && !this.isSpent;) {
        const all = list()
        const isCut = await this.attempt(change([...all.slice(0, start), ...all.slice(start + size)]))
        // What was cut has made room: the next ones stand at the same place. Should nothing have gone, go on all the same.
        if (!isCut || list().length >= all.length) start += size
      }
    }
  }
}

/** What is left of a failing run, and how many runs that took, of at most `max`. */
export async function shrink(first: FailedRun, play: Play, max: number): Promise<{ readonly run: FailedRun; readonly runs: number }> {
  const shrinking = new Shrinking(first, play, max)
  for (let size = Infinity; sizeOf(shrinking.best) < size && !shrinking.isSpent;) {
    size = sizeOf(shrinking.best)
    await cutFaults(shrinking)
    await cutCommands(shrinking)
    await cutValues(shrinking)
    await cutSwitches(shrinking)
  }
  return { run: shrinking.best, runs: shrinking.runs }
}

async function cutFaults(shrinking: Shrinking): Promise<void> {
  await shrinking.cut(
    () => shrinking.best.text.faults,
    (faults) => ({ faults }),
  )
}

async function cutCommands(shrinking: Shrinking): Promise<void> {
  const kept = (): readonly string[] => {
    const removed = new Set(shrinking.best.text.removed)
    return shrinking.best.commands.filter((command) => !removed.has(command))
  }
  await shrinking.cut(kept, (left) => {
    const wanted = new Set(left)
    return { removed: shrinking.best.commands.filter((command) => !wanted.has(command)) }
  })
}

/** Makes drawn numbers zero, stream by stream, and then one by one smaller. */
async function cutValues(shrinking: Shrinking): Promise<void> {
  for (const stream of Object.keys(shrinking.best.values)) {
    const drawn = (): readonly number[] => shrinking.best.values[stream] ?? []
    const draw = (numbers: readonly number[]): Partial<TapeText> => ({ values: { ...shrinking.best.text.values, [stream]: numbers } })
    if (drawn().every((number) => number === 0) || (await shrinking.attempt(draw([])))) continue
    for (let at = 0; at < drawn().length && !shrinking.isSpent; at += 1) {
      let value = drawn()[at] ?? 0
      if (value === 0 || (await shrinking.attempt(draw(drawn().with(at, 0))))) continue
      // The upper bits decide most: half the number while that still fails.
      while (value > 0 && (await shrinking.attempt(draw(drawn().with(at, value >>> 1))))) value >>>= 1
    }
  }
}

/** Lets whoever runs go on, wherever that does not matter. */
async function cutSwitches(shrinking: Shrinking): Promise<void> {
  const switches = (): readonly number[] => shrinking.best.text.choices.flatMap((choice, index) => (choice === 0 ? [] : [index]))
  await shrinking.cut(switches, (left) => {
    const wanted = new Set(left)
    return { choices: shrinking.best.text.choices.map((choice, index) => (wanted.has(index) ? choice : 0)) }
  })
  for (const at of switches()) {
    const choice = shrinking.best.text.choices[at] ?? 0
    if (choice > 1) await shrinking.attempt({ choices: shrinking.best.text.choices.with(at, 1) })
  }
}

function sizeOf({ text, values, commands }: FailedRun): number {
  const drawn = Object.values(values).flat()
  const left = commands.length - text.removed.length
  return (
    text.faults.length * 1_000_000 +
    left * 10_000 +
    drawn.filter((number) => number !== 0).length * 100 +
    text.choices.filter((choice) => choice !== 0).length
  )
}
