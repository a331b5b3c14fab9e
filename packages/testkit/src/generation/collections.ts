/** Objects, arrays, tuples and records. */
import * as fc from 'fast-check'
import type { z } from 'zod'
import { Refusal } from './cannot-generate.ts'
import { lengthsOf } from './spot.ts'
import type { Built, Spot } from './spot.ts'

/** Beyond so many elements the longest allowed array is not tried. */
const LONGEST = 32

/** Names of properties that no schema knows, for objects that take any. */
const EXTRA_NAMES = ['extra', 'more', 'other']

/** How every object is made: a plain one, whatever the global settings of fast-check are. */
const PLAIN = { noNullPrototype: true, size: 'max' } as const

/** Objects. Optional properties are absent now and then; where further ones are allowed there is one now and then. */
export function objects(schema: z.core.$ZodObject, spot: Spot): Built {
  const { shape, catchall } = schema._zod.def
  const properties: Record<string, fc.Arbitrary<unknown>> = {}
  const required: string[] = []
  for (const [name, property] of Object.entries(shape)) {
    const built = spot.child(property, name, 'property')
    const isOptional = property._zod.optin !== undefined
    if (built instanceof Refusal) {
      if (isOptional && built.isHarmless) continue
      return built
    }
    properties[name] = built
    if (!isOptional) required.push(name)
  }
  const known = fc.record(properties, { requiredKeys: required, noNullPrototype: true })
  const free = EXTRA_NAMES.filter((name) => !Object.hasOwn(shape, name))
  const further = catchall === undefined ? undefined : spot.child(catchall, '*', 'property')
  if (further === undefined || further instanceof Refusal || free.length === 0) return known
  const extra = fc.dictionary(fc.constantFrom(...free), further, { maxKeys: 1, ...PLAIN })
  return fc.tuple(known, extra).map(([one, other]) => ({ ...other, ...one }))
}

/** Arrays. */
export function arrays(schema: z.core.$ZodArray, spot: Spot): Built {
  const { min, max } = lengthsOf(schema)
  if (min > max) return spot.refuse('no array is as long as it must be')
  const element = spot.child(schema._zod.def.element, '*', 'element')
  if (element instanceof Refusal) return min === 0 && element.isHarmless ? fc.constant([]) : element
  const near = Math.min(max, min + spot.size)
  const short = fc.array(element, { minLength: min, maxLength: near, size: 'max' })
  if (near === max || max > LONGEST) return short
  const longest = fc.array(element, { minLength: max, maxLength: max, size: 'max' })
  return fc.oneof({ arbitrary: short, weight: 12 }, { arbitrary: longest, weight: 1 })
}

/** Tuples, with and without what may be left out at their end. */
export function tuples(schema: z.core.$ZodTuple, spot: Spot): Built {
  const { items, rest } = schema._zod.def
  const needed = items.findLastIndex((item) => item._zod.optin === undefined) + 1
  const built: fc.Arbitrary<unknown>[] = []
  for (const [index, item] of items.entries()) {
    const element = spot.child(item, String(index), 'element')
    if (!(element instanceof Refusal)) built.push(element)
    else if (index >= needed && element.isHarmless) break
    else return element
  }
  const lengths = Array.from({ length: built.length - needed + 1 }, (_, more) => fc.tuple(...built.slice(0, needed + more)))
  const further = rest === null || built.length < items.length ? undefined : spot.child(rest, '*', 'element')
  if (further === undefined || (further instanceof Refusal && further.isHarmless)) return fc.oneof(...lengths)
  if (further instanceof Refusal) return further
  const tail = fc.array(further, { minLength: 1, maxLength: Math.max(1, spot.size), size: 'max' })
  return fc.oneof(
    ...lengths,
    fc.tuple(fc.tuple(...built), tail).map(([head, more]) => [...head, ...more]),
  )
}

/** Records: with all keys where they are known and none may be missing, else with a few. */
export function records(schema: z.core.$ZodRecord, spot: Spot): Built {
  const { keyType, valueType, partial } = schema._zod.def
  const names = keyType._zod.values
  const value = spot.child(valueType, '*', 'property')
  const isExhaustive = names !== undefined && partial !== true
  if (value instanceof Refusal) {
    const canBeEmpty = !isExhaustive || valueType._zod.optin !== undefined
    return canBeEmpty && value.isHarmless ? fc.constant({}) : value
  }
  if (names !== undefined) {
    const properties = Object.fromEntries([...names].map((name) => [String(name), value]))
    const isRequired = isExhaustive && valueType._zod.optin === undefined
    return fc.record(properties, { requiredKeys: isRequired ? Object.keys(properties) : [], noNullPrototype: true })
  }
  const key = spot.child(keyType, '', 'element')
  if (key instanceof Refusal) return key
  // As an own property it would survive JSON, but not the schema.
  const name = key.map(String).filter((text) => text !== '__proto__')
  return fc.dictionary(name, value, { maxKeys: spot.size, ...PLAIN })
}
