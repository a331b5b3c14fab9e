/** What a campaign is, and what its scenarios have in common: state of a run, clients that repeat, claims about lists. */
import type { Client, FaultKind, SimulationOptions, World } from '@bailiwick/testkit'
import { FAULT_KINDS } from '@bailiwick/testkit'

/** One property of the kernel, as a simulation that can be run with any seed, for any number of schedules. */
export interface Campaign {
  /** The guarantees that it is about, and the claim. */
  readonly name: string
  /** Its part of all schedules, compared with the others. */
  readonly share: number
  readonly options: Omit<SimulationOptions, 'seed' | 'schedules'>
  /** Why it is not run for now. */
  readonly skip?: string
}

/** Every kind of fault but these. */
export function allBut(...kinds: readonly FaultKind[]): readonly FaultKind[] {
  return FAULT_KINDS.filter((kind) => !kinds.includes(kind))
}

/** Declares what must have come true in at least one run. */
export function sometimes(...names: readonly string[]): { readonly kind: 'sometimes'; readonly name: string }[] {
  return names.map((name) => ({ kind: 'sometimes', name }))
}

/** Notes that a run came near to what its campaign is about. Campaigns declare what must have come true at least once. */
export function near(world: World, name: string, condition: boolean): void {
  if (condition) world.sometimes(name, true)
}

/** Something that each run has its own of. `current` is that of the run that was looked at last: for actors and effects, which know no world. */
export interface PerRun<State> {
  (world: World): State
  readonly current: State
}

/** Makes a state for each run, when it is first asked for. */
export function perRun<State>(make: (world: World) => State): PerRun<State> {
  let latest: { readonly world: World; readonly state: State } | undefined
  const of = (world: World): State => {
    if (latest?.world !== world) latest = { world, state: make(world) }
    return latest.state
  }
  return Object.defineProperty(of, 'current', {
    get: () => {
      if (latest === undefined) throw new Error('No run has begun.')
      return latest.state
    },
  }) as PerRun<State> // The property was just defined.
}

/** What a careful client has come to know of its call. */
export type Known<T> =
  | { readonly how: 'answered'; readonly value: T }
  /** The system has said no, for a reason that will stay. */
  | { readonly how: 'refused'; readonly code: string }
  /** Nobody knows: it gave up before anybody told. */
  | { readonly how: 'unknown' }

/** Errors after which a call has had no effect, and will have none. Everything else is worth another try. */
const FINAL: ReadonlySet<string> = new Set([
  'COMMAND_REJECTED',
  'COMMAND_FAILED',
  'NOT_SERIALIZABLE',
  'IDEMPOTENCY_CONFLICT',
  'INVALID_INPUT',
  'MAILBOX_FULL',
  'STALE_EPOCH',
  'ACTOR_QUARANTINED',
  'ACTOR_STOPPED',
  'REPLY_OVERDUE',
  'ASK_CYCLE',
])

/** Makes a call until somebody says what became of it. Only for calls that are safe to repeat. */
export async function carefully<T>(client: Client, call: () => Promise<T>, tries = 8): Promise<Known<T>> {
  for (let left = tries; left > 0; left -= 1) {
    try {
      return { how: 'answered', value: await call() }
    } catch (error) {
      const code = codeOf(error)
      if (FINAL.has(code)) return { how: 'refused', code }
    }
    await client.sleep(700 * (tries - left + 1))
  }
  return { how: 'unknown' }
}

/** Makes a call once. */
export async function once<T>(call: () => Promise<T>): Promise<Known<T>> {
  try {
    return { how: 'answered', value: await call() }
  } catch (error) {
    const code = codeOf(error)
    return FINAL.has(code) ? { how: 'refused', code } : { how: 'unknown' }
  }
}

/** The code of an error, or its name. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as { readonly code?: unknown } // Looked at with care.
  return typeof code === 'string' ? code : error.name
}

/** A claim about the end of a run is wrong. */
class ClaimBroken extends Error {
  readonly code = 'CLAIM_BROKEN'
  /** Which claim: failures of the same one count as the same when a run is made smaller. */
  readonly property: string

  constructor(property: string, details: unknown) {
    super(`${property}: ${typeof details === 'string' ? details : JSON.stringify(details)}`)
    this.name = 'ClaimBroken'
    this.property = property
  }
}

/** Throws `ClaimBroken` unless the condition holds. */
export function claim(property: string, condition: boolean, details: unknown = ''): asserts condition {
  if (!condition) throw new ClaimBroken(property, typeof details === 'function' ? (details as () => unknown)() : details)
}

/** Claims that every text stands in a list once, and nothing else stands there but what is allowed. */
export function claimOnce(property: string, list: readonly string[], must: Iterable<string>, may: Iterable<string>): void {
  const counts = new Map<string, number>()
  for (const item of list) counts.set(item, (counts.get(item) ?? 0) + 1)
  for (const [item, count] of counts) claim(`${property}: not twice`, count === 1, () => ({ item, count, list }))
  for (const item of must) claim(`${property}: not lost`, counts.has(item), () => ({ item, list }))
  const allowed = new Set([...must, ...may])
  for (const item of counts.keys()) claim(`${property}: nothing that nobody sent`, allowed.has(item), () => ({ item, list }))
}

/** Lets actors go on that were held back because commands had ended their threads, and waits until nothing is left to do. */
export async function settled(world: World): Promise<void> {
  while ((await eventually(world, () => world.system.quarantine.release({}))) > 0) await world.rest()
}

/** Tries something in the check, where nothing strikes any more, until it does not reject. */
export async function eventually<T>(world: World, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work()
    } catch (error) {
      if (tries === 20 || (error instanceof Error && error.name === 'ClaimBroken')) throw error
    }
    await world.sleep(1_000)
  }
}
