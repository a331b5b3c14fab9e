/**
 * What JSON can carry, and a canonical form of it for fingerprints.
 *
 * State, inputs and replies cross threads and disks as JSON text. A Map, a Date or a class instance would come back as
 * something else without anybody noticing, so such values are found and named before they are accepted.
 */

/** Where and what is wrong with a value that JSON cannot carry. */
export interface JsonFault {
  /** Path of the offending value, for instance `items.3.seen`; empty for the value itself. */
  readonly path: string
  /** What it is, for instance `is a Map`. */
  readonly detail: string
}

const DEPTH_MAX = 200

/**
 * Finds the first value that JSON would lose or change. `undefined` is allowed as a property (the property is simply
 * absent after a round trip). `known` is an earlier value that was already checked: parts that stand at the same place in both
 * are skipped, which makes the check of an immutable update as cheap as the update itself.
 */
export function findJsonFault(value: unknown, known?: unknown): JsonFault | undefined {
  return value === undefined ? undefined : faultIn(value, 0, known)
}

/**
 * Freezes a value with everything in it, so that nobody can change in place what is committed or about to be. `known` is an
 * earlier value that was frozen: parts shared with it are skipped. What is frozen already counts as frozen throughout.
 */
export function freeze(value: unknown, known?: unknown): void {
  if (value === known || typeof value !== 'object' || value === null || Object.isFrozen(value)) return
  if (Array.isArray(value)) {
    Object.freeze(value)
    for (const part of value) freeze(part)
  } else if (isPlainObject(value)) {
    Object.freeze(value)
    const before = isPlainObject(known) ? known : undefined
    for (const name of Object.keys(value)) freeze(value[name], before?.[name])
  }
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function faultIn(value: unknown, depth: number, known: unknown): JsonFault | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined
    case 'number':
      return Number.isFinite(value) ? undefined : { path: '', detail: `is ${value}` }
    case 'object':
      return value === null || value === known ? undefined : faultInObject(value, depth, known)
    case 'undefined':
      return { path: '', detail: 'is undefined' }
    case 'bigint':
    case 'symbol':
    case 'function':
      return { path: '', detail: `is a ${typeof value}` }
  }
}

function faultInObject(value: object, depth: number, known: unknown): JsonFault | undefined {
  if (depth > DEPTH_MAX) return { path: '', detail: `is nested more than ${DEPTH_MAX} levels deep, or refers to itself` }
  if (Array.isArray(value)) {
    const before: readonly unknown[] = Array.isArray(known) ? known : []
    for (let index = 0; index < value.length; index += 1) {
      const fault = faultIn(value[index], depth + 1, before[index])
      if (fault !== undefined) return prefixed(String(index), fault)
    }
    return undefined
  }
  if (!isPlainObject(value)) return isActorRef(value) ? undefined : { path: '', detail: `is a ${nameOfClass(value)}` }
  const before = isPlainObject(known) ? known : undefined
  for (const name of Object.keys(value)) {
    const part = value[name]
    if (part === undefined) continue
    const fault = faultIn(part, depth + 1, before?.[name])
    if (fault !== undefined) return prefixed(name, fault)
  }
  return undefined
}

function nameOfClass(value: object): string {
  const { constructor } = value
  return typeof constructor === 'function' ? constructor.name : 'special object'
}

/** References to child actors in a machine's context are written and restored by XState itself. */
function isActorRef(value: object): boolean {
  return 'sessionId' in value && 'send' in value && 'ref' in value
}

function prefixed(name: string, fault: JsonFault): JsonFault {
  return { path: fault.path === '' ? name : `${name}.${fault.path}`, detail: fault.detail }
}

/** JSON text with the properties of every object in the order of their names, so that equal values have equal text. */
export function canonicalJson(value: object | null): string {
  return JSON.stringify(value, (_name, part: unknown) => (isPlainObject(part) ? sortedByName(part) : part))
}

function sortedByName(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const sorted: Record<string, unknown> = {}
  for (const name of Object.keys(value).sort()) sorted[name] = value[name]
  return sorted
}
