/**
 * Guards: code that asks the real clock, draws real chance, sets a real timer or fetches while a simulation runs it is found and named.
 *
 * The functions are replaced where programs find them (globals and Node's modules) by ones that do exactly the same, and first look
 * whether a guard was told whose code runs. If none was, that is all they do. If one was, they look at the stack: the call is a stray
 * unless its first line that is not Node's own belongs to the kernel, the store, the test kit or a package in
 * `node_modules`. That takes some 10 µs for each call, and nothing for code that makes none.
 *
 * Not found: what was taken out of its object before (`const { now } = Date`), other contexts of `node:vm`, and dates that
 * `Intl.DateTimeFormat` formats when it is given none. Microtasks and `process.nextTick` are no strays: their order is the same in
 * every run. Timers and I/O that are started in other ways, and promises, are found by `auditAsync`.
 */
import { syncBuiltinESMExports } from 'node:module'
import { enterPlace, hasPlace, leavePlace, placeNow, strayAt, tell } from './stray.ts'
import type { GuardMode, Stray } from './stray.ts'

export { auditAsync } from './async-audit.ts'
export type { GuardMode, Stray } from './stray.ts'

/** Guards over the code of one simulation. Several may be installed at the same time. */
export interface Guards {
  /**
   * Says whose code runs from here on, as `account/alice deposit`, until `leave` or the next `enter`. `mode` is for `auditAsync`;
   * default `transition`. Throws if the guards were uninstalled.
   */
  enter(where: string, mode?: GuardMode): void
  /** Says that what runs from here on is nobody's code. Does nothing outside of a place. */
  leave(): void
  /** Whether a place was entered and not left. */
  readonly isInside: boolean
  /** Takes the guards away. The functions are the real ones again once no guards are left. Idempotent. */
  uninstall(): void
}

/** A function that somebody can call. */
type AnyFunction = (...given: never[]) => unknown

/** A property that was replaced. */
interface Patch {
  readonly owner: object
  readonly name: string
  readonly original: PropertyDescriptor
  readonly guarded: AnyFunction
}

/** The guards that are installed, with those who are told. */
const listeners = new Map<object, (stray: Stray) => void>()

let patches: readonly Patch[] = []

/** What all dates have in common, whoever makes them. */
const dates: object = Date.prototype

/** What our replacements stand for: one that somebody has put back after we had taken it away is not replaced once more. */
const originals = new WeakMap<AnyFunction, AnyFunction>()

/**
 * Installs guards. `onStray` is called for each call that is a stray, before it is made; what it throws is thrown to the caller.
 * Every such call is told, however often the same line makes it.
 */
export function installGuards(onStray: (stray: Stray) => void): Guards {
  if (listeners.size === 0) replaceAll()
  const guards: Guards = {
    enter: (where, mode = 'transition') => {
      if (!listeners.has(guards)) throw new Error('The guards were uninstalled.')
      enterPlace({ owner: guards, where, mode })
    },
    leave: () => leavePlace(guards),
    get isInside() {
      return hasPlace(guards)
    },
    uninstall: () => {
      leavePlace(guards)
      if (listeners.delete(guards) && listeners.size === 0) restoreAll()
    },
  }
  listeners.set(guards, onStray)
  return guards
}

/** Where a function is found, and under which name it is told. */
type Target = readonly [owner: object | undefined, name: string, api: string]

function targets(): readonly Target[] {
  const crypto = process.getBuiltinModule('node:crypto')
  const timers = process.getBuiltinModule('node:timers')
  const promised = process.getBuiltinModule('node:timers/promises')
  const named = (owner: object | undefined, path: string, names: readonly string[]): Target[] =>
    names.map((name) => [owner, name, `${path}${name}`])
  // `Temporal` is not in every version of Node.js, and in no library that this is compiled with.
  const temporal = (globalThis as { readonly Temporal?: { readonly Now?: object } }).Temporal?.Now
  return [
    [globalThis, 'Date', 'Date'],
    [Date, 'now', 'Date.now'],
    ...named(temporal, 'Temporal.Now.', ['instant', 'plainDateISO', 'plainDateTimeISO', 'plainTimeISO', 'zonedDateTimeISO']),
    [ownerOf(performance, 'now'), 'now', 'performance.now'],
    [Math, 'random', 'Math.random'],
    [ownerOf(globalThis.crypto, 'randomUUID'), 'randomUUID', 'crypto.randomUUID'],
    [ownerOf(globalThis.crypto, 'getRandomValues'), 'getRandomValues', 'crypto.getRandomValues'],
    ...named(crypto, 'crypto.', ['randomBytes', 'randomFill', 'randomFillSync', 'randomInt', 'randomUUID', 'randomUUIDv7']),
    ...named(globalThis, '', ['setTimeout', 'setInterval', 'setImmediate']),
    ...named(timers, '', ['setTimeout', 'setInterval', 'setImmediate']),
    ...named(promised, 'timers/promises.', ['setTimeout', 'setInterval', 'setImmediate']),
    ...named(ownerOf(promised.scheduler, 'wait'), 'scheduler.', ['wait', 'yield']),
    [AbortSignal, 'timeout', 'AbortSignal.timeout'],
    [globalThis, 'fetch', 'fetch'],
    [process.hrtime, 'bigint', 'process.hrtime.bigint'],
    ...named(process, 'process.', ['hrtime', 'uptime']),
  ]
}

function replaceAll(): void {
  const replaced: Patch[] = []
  for (const [owner, name, api] of targets()) {
    const patch = owner && replace(owner, name, api)
    if (patch !== undefined) replaced.push(patch)
  }
  patches = replaced
  syncBuiltinESMExports()
}

/** Last replaced, first restored. What somebody else has replaced meanwhile, such as fake timers, stays. */
function restoreAll(): void {
  for (const { owner, name, original, guarded } of patches.toReversed()) {
    if (Object.getOwnPropertyDescriptor(owner, name)?.value !== guarded) continue
    Object.defineProperty(owner, name, original)
    if (guarded === dates.constructor) Object.defineProperty(dates, 'constructor', { value: original.value })
  }
  patches = []
  syncBuiltinESMExports()
}

function replace(owner: object, name: string, api: string): Patch | undefined {
  const found = Object.getOwnPropertyDescriptor(owner, name)
  // Only functions are looked for, and these are called as they were.
  const value = found?.value as AnyFunction | undefined
  if (found?.configurable !== true || typeof value !== 'function') return undefined
  const real = originals.get(value) ?? value
  const guarded = api === 'Date' ? guardDate(real as unknown as DateConstructor) : guard(real, api)
  originals.set(guarded, real)
  Object.defineProperty(owner, name, { ...found, value: guarded })
  // So that `value.constructor === Date` stays true.
  if (api === 'Date') Object.defineProperty(dates, 'constructor', { value: guarded })
  return { owner, name, original: { ...found, value: real }, guarded }
}

/** A proxy, so that everything else about the function stays: its name, its properties, what `promisify` makes of it. */
function guard(real: AnyFunction, api: string): AnyFunction {
  const handler: ProxyHandler<AnyFunction> = {
    apply: function apply(target, self, given) {
      note(api, apply)
      return Reflect.apply(target, self, given) as unknown
    },
  }
  return new Proxy(real, handler)
}

/** `Date` asks the clock where it is called, and where it is made without arguments. */
function guardDate(real: DateConstructor): AnyFunction {
  const handler: ProxyHandler<DateConstructor> = {
    apply: function apply(target, self, given) {
      note('Date()', apply)
      return Reflect.apply(target, self, given) as unknown
    },
    construct: function construct(target, given, newTarget) {
      if (given.length === 0) note('new Date()', construct)
      return Reflect.construct(target, given, newTarget) as object
    },
  }
  return new Proxy(real, handler)
}

function note(api: string, cut: (...given: never[]) => unknown): void {
  const place = placeNow()
  if (place === undefined) return
  const stray = strayAt(api, `calls ${api}`, place, cut)
  const listener = stray && listeners.get(place.owner)
  if (stray !== undefined && listener !== undefined) tell(listener, stray)
}

/** The object of the prototype chain that has the property itself. */
function ownerOf(value: object, name: string): object | undefined {
  for (let owner: unknown = value; typeof owner === 'object' && owner !== null; owner = Object.getPrototypeOf(owner) as unknown) {
    if (Object.hasOwn(owner, name)) return owner
  }
  return undefined
}
