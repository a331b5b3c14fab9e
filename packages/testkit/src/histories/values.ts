/** When two values are the same: the outputs of operations, the states of models. For data, not for objects with secrets. */

/**
 * Whether two values are the same by content: numbers, strings and so on as by `===` (and `NaN` is itself), arrays by position,
 * objects by property (one that is `undefined` is as good as absent), sets and maps by content, dates by time, bytes by byte.
 * Values must not contain themselves.
 */
export function sameValue(left: unknown, right: unknown): boolean {
  if (left === right || Object.is(left, right)) return true
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false
  if (Array.isArray(left)) return Array.isArray(right) && sameItems(left, right)
  if (Array.isArray(right)) return false
  if (left instanceof Date || right instanceof Date) return sameDate(left, right)
  if (left instanceof Set || right instanceof Set) return sameSet(left, right)
  if (left instanceof Map || right instanceof Map) return sameMap(left, right)
  if (left instanceof Uint8Array || right instanceof Uint8Array) return sameBytes(left, right)
  return sameProperties(left, right)
}

/**
 * A text that is equal for all values that `sameValue` calls the same. Different values mostly have different texts; where it
 * matters, ask `sameValue`.
 */
export function fingerprintOf(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'symbol' || typeof value === 'function') return typeof value
  // `String` of both zeros is '0'.
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value)) return `[${value.map(fingerprintOf).join(',')}]`
  if (value instanceof Date) return `@${value.getTime()}`
  if (value instanceof Set) return `#{${Array.from(value, fingerprintOf).sort().join(',')}}`
  if (value instanceof Map) return `#[${Array.from(value, fingerprintOf).sort().join(',')}]`
  if (value instanceof Uint8Array) return `#<${value.join(',')}>`
  return `{${Object.entries(value)
    .filter(([, property]) => property !== undefined)
    .map(([name, property]) => `${JSON.stringify(name)}:${fingerprintOf(property)}`)
    .sort()
    .join(',')}}`
}

/** A 32-bit hash of a text (FNV-1a), for tables. */
export function textHash(text: string): number {
  let hash = 0x811c9dc5
  for (let position = 0; position < text.length; position++) hash = Math.imul(hash ^ text.charCodeAt(position), 0x01000193)
  return hash >>> 0
}

function sameItems(left: readonly unknown[], right: readonly unknown[]): boolean {
  return left.length === right.length && left.every((item, position) => sameValue(item, right[position]))
}

function sameDate(left: object, right: object): boolean {
  return left instanceof Date && right instanceof Date && Object.is(left.getTime(), right.getTime())
}

function sameSet(left: object, right: object): boolean {
  if (!(left instanceof Set) || !(right instanceof Set) || left.size !== right.size) return false
  const unmatched: unknown[] = [...right].filter((item) => !left.has(item))
  return [...left].filter((item) => !right.has(item)).every((item) => takeMatch(unmatched, item))
}

function sameMap(left: object, right: object): boolean {
  if (!(left instanceof Map) || !(right instanceof Map) || left.size !== right.size) return false
  const unmatched: unknown[] = [...right]
  return [...left].every((entry) => takeMatch(unmatched, entry))
}

/** Removes one value that is the same from the list: no item may stand for two. */
function takeMatch(unmatched: unknown[], item: unknown): boolean {
  const position = unmatched.findIndex((other) => sameValue(item, other))
  if (position === -1) return false
  unmatched.splice(position, 1)
  return true
}

function sameBytes(left: object, right: object): boolean {
  if (!(left instanceof Uint8Array) || !(right instanceof Uint8Array)) return false
  return left.length === right.length && left.every((byte, position) => byte === right[position])
}

function sameProperties(left: object, right: object): boolean {
  const one = left as Readonly<Record<string, unknown>>
  const other = right as Readonly<Record<string, unknown>>
  const isSame = (name: string): boolean =>
    sameValue(Object.hasOwn(one, name) ? one[name] : undefined, Object.hasOwn(other, name) ? other[name] : undefined)
  return Object.keys(one).every(isSame) && Object.keys(other).every((name) => Object.hasOwn(one, name) || isSame(name))
}
