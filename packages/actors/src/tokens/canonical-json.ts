/** One text for each JSON value: keys sorted by their UTF-16 units at every level, no whitespace. */
import { InvalidInput } from '@bailiwick/kernel'
import type { JsonValue } from '@bailiwick/kernel'

const DEPTH_MAX = 32

/**
 * Writes a value canonically. Properties that are `undefined` are left out, as JSON does. Throws `InvalidInput` with the path of
 * what JSON cannot carry, or of what is nested deeper than 32 levels.
 */
export function canonicalJson(value: JsonValue): string {
  return write(value, '', 0)
}

function write(value: unknown, path: string, depth: number): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value)
  if (depth === DEPTH_MAX) throw new InvalidInput('canonicalJson', path, `is nested deeper than ${DEPTH_MAX} levels`)
  if (Array.isArray(value)) return `[${value.map((part, index) => write(part, join(path, String(index)), depth + 1)).join(',')}]`
  if (!isPlainObject(value)) throw new InvalidInput('canonicalJson', path, 'is nothing that JSON can carry')
  const parts: string[] = []
  for (const name of Object.keys(value).sort()) {
    if (value[name] !== undefined) parts.push(`${JSON.stringify(name)}:${write(value[name], join(path, name), depth + 1)}`)
  }
  return `{${parts.join(',')}}`
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
