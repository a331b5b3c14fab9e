/** Runs ours and the floor in turns within one process, and says how they compare: medians, pair by pair, with the spread. */

/** One run: how much was done, in the unit of the benchmark. */
export type Run = () => Promise<number>

/** What a benchmark found. */
export interface Finding {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly floor: number | undefined
  /** Median of value over floor, pair by pair. */
  readonly ratio: number | undefined
  /** Smallest and largest ratio of a pair; of the value where there is no floor. */
  readonly spread: readonly [number, number]
  readonly runs: number
  readonly sync: 'full' | 'none'
  readonly note?: string
}

/** Interleaves runs of ours and of the floor, after one of each that does not count. */
export async function compare(
  what: { readonly name: string; readonly unit: string; readonly sync: Finding['sync']; readonly runs: number; readonly note?: string },
  ours: Run,
  floor: Run | undefined,
): Promise<Finding> {
  const values: number[] = []
  const floors: number[] = []
  await floor?.()
  await ours()
  for (let run = 0; run < what.runs; run += 1) {
    if (floor !== undefined) floors.push(await floor())
    values.push(await ours())
  }
  const ratios = floors.map((each, index) => (values[index] ?? 0) / each)
  const spread = ratios.length > 0 ? ratios : values
  return {
    ...what,
    value: median(values),
    floor: floor === undefined ? undefined : median(floors),
    ratio: floor === undefined ? undefined : median(ratios),
    spread: [Math.min(...spread), Math.max(...spread)],
  }
}

/** The middle of some numbers. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value below which so much of the numbers lies. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

/** Closed-loop callers: each calls again when it has its answer, until `total` calls are done. Answers calls per second. */
export async function callers(count: number, total: number, call: (caller: number, nth: number) => Promise<unknown>): Promise<number> {
  let left = total
  const startedAt = performance.now()
  await Promise.all(
    Array.from({ length: Math.min(count, total) }, async (_none, caller) => {
      for (let nth = 0; left > 0; nth += 1) {
        left -= 1
        await call(caller, nth)
      }
    }),
  )
  return (total / (performance.now() - startedAt)) * 1_000
}

/** Stops the benchmark if the work was not done: the checksum of what the actors hold must be what was sent. */
export function requireSum(name: string, found: number, expected: number): void {
  if (found !== expected) throw new Error(`${name}: the checksum is ${found}, but ${expected} was sent.`)
}
