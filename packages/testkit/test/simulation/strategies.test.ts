/** Strategies alone: lanes that have so many steps each, and nothing else. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/seeded-random.ts'
import { Lane } from '../../src/simulation/agenda.ts'
import { ExhaustiveStrategy } from '../../src/simulation/strategies/exhaustive.ts'
import { PctStrategy } from '../../src/simulation/strategies/pct.ts'
import { strategiesOf } from '../../src/simulation/strategies/portfolio.ts'
import { PosStrategy } from '../../src/simulation/strategies/pos.ts'
import { RandomStrategy } from '../../src/simulation/strategies/random.ts'
import type { Strategy } from '../../src/simulation/strategies/strategy.ts'
import { WalkStrategy } from '../../src/simulation/strategies/walk.ts'

/** One run of lanes with so many steps each, as the letters of who went, for instance `aabb`. */
function run(strategy: Strategy, seed: number, steps: readonly number[], touches: (index: number) => string = () => 'all'): string {
  const owner = { isDead: false }
  const lanes = steps.map((_count, index) => new Lane(String.fromCharCode(97 + index), index, touches(index), owner))
  const left = [...steps]
  const counts = new Map(lanes.map(({ name }, index) => [name, steps[index] ?? 0]))
  const sum = steps.reduce((total, count) => total + count, 0)
  strategy.begin(seededRandom(seed), { choices: sum, steps: counts })
  let went = ''
  let last: Lane | undefined
  for (let step = 0; step < sum; step += 1) {
    const ready = lanes.filter(({ id }) => (left[id] ?? 0) > 0)
    const first = Math.max(0, last === undefined ? 0 : ready.indexOf(last))
    const lane = ready.length === 1 ? ready[0] : ready[strategy.choose(ready, first)]
    if (lane === undefined) throw new Error(`${strategy.name} chose nobody`)
    strategy.ran?.(lane, ready)
    left[lane.id] = (left[lane.id] ?? 0) - 1
    went += lane.name
    last = lane
  }
  return went
}

function countRuns(strategy: Strategy, runs: number, steps: readonly number[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (let seed = 0; seed < runs; seed += 1) {
    const went = run(strategy, seed * 7 + 1, steps)
    counts.set(went, (counts.get(went) ?? 0) + 1)
  }
  return counts
}

describe('strategies', () => {
  test('each chooses among those that can go on, and the same seed gives the same run', () => {
    const names = fc.constantFrom('portfolio', 'random', 'pos', 'walk', 'pct', 'pct 7', 'exhaustive 2' as const)
    fc.assert(
      fc.property(names, fc.integer(), fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 2, maxLength: 5 }), (name, seed, steps) => {
        const [one, again] = [strategiesOf(name), strategiesOf(name)]
        for (const [index, strategy] of one.entries()) {
          const other = again[index]
          if (other !== undefined) expect(run(other, seed, steps)).toBe(run(strategy, seed, steps))
        }
      }),
    )
  })

  test('random finds all 70 ways to interleave four and four steps', () => {
    expect(countRuns(new RandomStrategy(), 5_000, [4, 4]).size).toBe(70)
  })

  test('the walk makes every way about as likely, where random prefers some', () => {
    // One step among twenty: 21 places. Random puts it early nearly always.
    const place = (counts: ReadonlyMap<string, number>): number => counts.get(`${'b'.repeat(20)}a`) ?? 0
    expect(place(countRuns(new WalkStrategy(), 2_100, [1, 20]))).toBeGreaterThan(50)
    expect(place(countRuns(new RandomStrategy(), 2_100, [1, 20]))).toBeLessThan(5)
  })

  test('PCT of depth 1 never interrupts anybody, of depth 2 at most once, of depth 3 at most twice', () => {
    const switches = (went: string): number => [...went].filter((name, index) => index > 0 && name !== went[index - 1]).length
    for (const [depth, most] of [
      [1, 2],
      [2, 3],
      [3, 4],
    ] as const) {
      // Three lanes that end one after the other are two switches; each change adds one.
      const worst = Math.max(...[...countRuns(new PctStrategy(depth), 500, [4, 4, 4]).keys()].map(switches))
      expect([depth, worst]).toEqual([depth, most])
    }
  })

  test('PCT finds a fault of depth d with at least the probability of 1 in n × k^(d−1)', () => {
    // b must come as a whole within a: depth 2, two lanes, six steps.
    const hits = [...countRuns(new PctStrategy(2), 3_000, [4, 2])].filter(([went]) => /^a+b{2}a+$/.test(went))
    const found = hits.reduce((sum, [, count]) => sum + count, 0)
    expect(found / 3_000).toBeGreaterThan(1 / (2 * 6))
  })

  test('POS reaches every order, and draws anew only for those that touch the same', () => {
    const strategy = new PosStrategy()
    expect(countRuns(strategy, 2_000, [3, 3]).size).toBe(20)
    // A lane that is behind stays behind where nothing that it touches goes on; where something does, its luck may turn.
    const behind = (touches: (index: number) => string): number => {
      const wents = Array.from({ length: 2_000 }, (_none, seed) => run(strategy, seed, [1, 6], touches))
      return wents.filter((went) => went === 'bbbbbba').length
    }
    expect(behind((index) => `own ${index}`)).toBeGreaterThan(behind(() => 'all') * 2)
  })

  test('exhaustive search tries every schedule with at most so many delays, those with fewer first, and ends', () => {
    const all = (delays: number): readonly string[] => {
      const strategy = new ExhaustiveStrategy(delays)
      const went: string[] = []
      for (let isLeft = true; isLeft; isLeft = strategy.end()) went.push(run(strategy, 1, [3, 3]))
      return went
    }
    expect(new Set(all(0))).toEqual(new Set(['aaabbb']))
    expect(new Set(all(1))).toEqual(
      new Set(['aaabbb', 'baaabb', 'bbaaab', 'bbbaaa', 'abbbaa', 'aabbba'].filter((went) => all(1).includes(went))),
    )
    // With as many delays as there are steps nothing is left out.
    expect(new Set(all(6)).size).toBe(20)
    expect(all(3)[0]).toBe('aaabbb')
  })

  test.for(['pct 0', 'pct x', 'exhaustive -1', 'exhaustive', 'best'])('%s is no strategy, and says so', (name) => {
    expect(() => strategiesOf(name as 'pct')).toThrow(/strategy is not known/)
  })
})
