/** Which executions share a queue: those whose listed parameters are equal. */
import { createHash } from 'node:crypto'

/** Longer ones are written as their hash, so that they fit into a key. */
const GROUP_LENGTH_MAX = 400

/**
 * The group of some parameters: canonical JSON of the values at the listed paths, in their order. A path names properties,
 * `user.id`; what is missing is `null`, so everybody without it shares a group. Throws `TypeError` for what JSON cannot carry.
 */
export function groupOf(parameters: Readonly<Record<string, unknown>>, paths: readonly string[]): string {
  const text = canonical(paths.map((path) => valueAt(parameters, path)))
  return text.length <= GROUP_LENGTH_MAX ? text : `sha256:${createHash('sha256').update(text).digest('base64url')}`
}

function valueAt(parameters: unknown, path: string): unknown {
  let value = parameters
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return null
    value = (value as Readonly<Record<string, unknown>>)[name] // An own property, whatever it holds.
  }
  return value ?? null
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part
    return Object.fromEntries(Object.entries(part).toSorted(([one], [other]) => (one < other ? -1 : 1)))
  })
}
