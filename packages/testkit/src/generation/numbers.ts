/** Numbers within the bounds that a schema declares: mostly near zero, so that commands collide; the bounds; now and then any. */
import * as fc from 'fast-check'
import type { z } from 'zod'
import { Refusal } from './cannot-generate.ts'
import { checksOf } from './spot.ts'
import type { Built, Spot } from './spot.ts'

interface Bounds {
  min: number
  max: number
  minExcluded: boolean
  maxExcluded: boolean
  /** Numbers of which it must be a multiple; 1 for whole numbers. */
  readonly steps: number[]
}

/** For each format its bounds, and whether it has whole numbers only. */
const FORMATS: Readonly<Record<z.core.$ZodNumberFormats, readonly [min: number, max: number, isWhole: boolean]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1, true],
  uint32: [0, 2 ** 32 - 1, true],
  safeint: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, true],
  float32: [-(2 ** 128 - 2 ** 104), 2 ** 128 - 2 ** 104, false],
  float64: [-Number.MAX_VALUE, Number.MAX_VALUE, false],
}

/** Multiples of a fraction are taken up to here, so that they stay exact. */
const FRACTIONS_MAX = 1e9

/** Numbers for a schema of numbers, or of big integers that are read from numbers; `isWhole` for the latter. */
export function numbers(schema: z.core.$ZodType, spot: Spot, isWhole = false): Built {
  const bounds = boundsOf(schema, isWhole)
  const built = bounds.steps.length === 0 ? continuous(bounds, spot.size) : stepped(bounds, spot.size)
  return built ?? spot.refuse('no number is within its bounds')
}

/** Numbers, some of them as text: for schemas that make a number of whatever they get. */
export function numbersOrText(schema: z.core.$ZodType, spot: Spot, isWhole = false): Built {
  const built = numbers(schema, spot, isWhole)
  if (built instanceof Refusal) return built
  return fc.oneof({ arbitrary: built, weight: 3 }, { arbitrary: built.map(String), weight: 1 })
}

function boundsOf(schema: z.core.$ZodType, isWhole: boolean): Bounds {
  const bounds: Bounds = {
    min: Number.NEGATIVE_INFINITY,
    max: Number.POSITIVE_INFINITY,
    minExcluded: false,
    maxExcluded: false,
    steps: isWhole ? [1] : [],
  }
  for (const check of checksOf(schema)) {
    if (check.check === 'greater_than') raise(bounds, Number(check.value), !check.inclusive)
    if (check.check === 'less_than') lower(bounds, Number(check.value), !check.inclusive)
    if (check.check === 'multiple_of') bounds.steps.push(Math.abs(Number(check.value)))
    if (check.check !== 'number_format') continue
    const [min, max, hasWholeOnly] = FORMATS[check.format]
    if (hasWholeOnly) bounds.steps.push(1)
    // The bounds of a format are the end of what there is, not something that a test is about.
    if (check.format === 'int32' || check.format === 'uint32') {
      raise(bounds, min, false)
      lower(bounds, max, false)
    }
  }
  return bounds
}

function raise(bounds: Bounds, min: number, isExcluded: boolean): void {
  if (min < bounds.min || (min === bounds.min && bounds.minExcluded)) return
  bounds.min = min
  bounds.minExcluded = isExcluded
}

function lower(bounds: Bounds, max: number, isExcluded: boolean): void {
  if (max > bounds.max || (max === bounds.max && bounds.maxExcluded)) return
  bounds.max = max
  bounds.maxExcluded = isExcluded
}

/** Multiples of a step. */
function stepped({ min, max, minExcluded, maxExcluded, steps }: Bounds, size: number): fc.Arbitrary<number> | undefined {
  const step = commonStep(steps)
  const end = Math.floor((Number.isInteger(step) ? Number.MAX_SAFE_INTEGER : FRACTIONS_MAX) / step)
  const decimals = decimalsOf(step)
  const multiple = (factor: number): number => Number((factor * step).toFixed(decimals)) + 0
  let first = Math.max(-end, Math.ceil(min / step))
  let last = Math.min(end, Math.floor(max / step))
  // A division may be off by a little at either end; an excluded bound is no value.
  const isBelow = (value: number): boolean => (minExcluded ? value <= min : value < min)
  const isAbove = (value: number): boolean => (maxExcluded ? value >= max : value > max)
  while (first <= last && isBelow(multiple(first))) first += 1
  while (first <= last && isAbove(multiple(last))) last -= 1
  if (first > last) return undefined
  const nearest = Math.min(Math.max(0, first), last)
  const near = aroundOf(nearest, size, 1).filter((factor) => factor >= first && factor <= last)
  const ends = [...(Number.isFinite(min) ? [first] : []), ...(Number.isFinite(max) ? [last] : [])]
  return mixed(near, ends, fc.integer({ min: first, max: last })).map(multiple, (value) => factorOf(value, step))
}

function continuous({ min, max, minExcluded, maxExcluded }: Bounds, size: number): fc.Arbitrary<number> | undefined {
  const isWithin = (value: number): boolean =>
    (minExcluded ? value > min : value >= min) && (maxExcluded ? value < max : value <= max) && Number.isFinite(value)
  if (min > max || (min === max && (minExcluded || maxExcluded))) return undefined
  const nearest = Math.min(Math.max(0, min), max)
  const near = [...aroundOf(nearest, size, 1), ...aroundOf(nearest, size, 0.5)].filter(isWithin)
  const ends = [min, max].filter(isWithin)
  const any = fc
    .double({
      min: Math.max(min, -Number.MAX_VALUE),
      max: Math.min(max, Number.MAX_VALUE),
      minExcluded: minExcluded && Number.isFinite(min),
      maxExcluded: maxExcluded && Number.isFinite(max),
      noNaN: true,
      noDefaultInfinity: true,
    })
    .filter((value) => isWithin(value) && !Object.is(value, -0)) // JSON has one zero.
  return mixed(near, ends, any)
}

/** The numbers near one, the nearest first. */
function aroundOf(centre: number, size: number, step: number): readonly number[] {
  const around = [centre]
  for (let distance = step; distance <= size; distance += step) around.push(centre + distance, centre - distance)
  return [...new Set(around)]
}

/** One of some numbers. Shrinking goes towards the first, one by one; fast-check's `constantFrom` would try the first only. */
function picked(list: readonly number[]): fc.Arbitrary<number> {
  const position = fc.integer({ min: 0, max: list.length - 1 })
  return position.map(
    (index) => list[index] ?? 0,
    (value) => (typeof value === 'number' ? list.indexOf(value) : -1),
  )
}

function mixed(near: readonly number[], ends: readonly number[], any: fc.Arbitrary<number>): fc.Arbitrary<number> {
  return fc.oneof(
    ...(near.length > 0 ? [{ arbitrary: picked(near), weight: 12 }] : []),
    ...(ends.length > 0 ? [{ arbitrary: fc.constantFrom(...ends), weight: 2 }] : []),
    { arbitrary: any, weight: 1 },
  )
}

/** A number whose multiples are multiples of all: exact for whole numbers, else the largest, and the schema sorts out the rest. */
function commonStep(steps: readonly number[]): number {
  if (!steps.every((step) => Number.isSafeInteger(step) && step > 0)) return Math.max(...steps)
  return steps.reduce((common, step) => (common / divisorOf(common, step)) * step)
}

function divisorOf(left: number, right: number): number {
  return right === 0 ? left : divisorOf(right, left % right)
}

function decimalsOf(step: number): number {
  const [digits = '', exponent = '0'] = String(step).split('e')
  return Math.min(100, Math.max(0, (digits.split('.')[1] ?? '').length - Number(exponent)))
}

function factorOf(value: unknown, step: number): number {
  if (typeof value !== 'number') throw new TypeError('is no number') // fast-check asks in this way whether a value is one of ours.
  return Math.round(value / step)
}
