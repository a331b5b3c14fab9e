/**
 * Clients of a simulated system: they live outside of its process and go on when it dies. Each of their calls is a step of
 * its own, is written into the history, and meets what a network does to calls.
 */
import { BailiwickError, outcomeOf } from '@bailiwick/kernel'
import type { ActorDefinition, ActorKey, RefOf, System } from '@bailiwick/kernel'
import type { HistoryEvent } from '../histories/history.ts'
import type { Agenda, Lane } from './agenda.ts'
import { ProcessKilled, ReplyLost, requireMs } from './errors.ts'

/** What a client can do. */
export interface Client {
  readonly name: string
  /**
   * The handle of an actor, for this client's calls: that of a program. Calls of `ask` and `tell` stand in the history; what
   * `lease` and `changes` give works for as long as its process lives. A call rejects as it does in a program, and with
   * `ProcessKilled` or `ReplyLost` where a fault has left it unknown whether it took effect.
   */
  actor<Definition extends ActorDefinition>(definition: Definition, key: ActorKey): RefOf<Definition>
  /**
   * Makes a call again, after a wait, for as long as its outcome is unknown or it may be tried again: what a careful client does.
   * The call must have an idempotency key, or do no harm if it counts twice. Rejects with the first error that is final.
   */
  retry<T>(call: () => Promise<T>, options?: { readonly waitMs?: number }): Promise<T>
  /** Waits for so much virtual time. */
  sleep(ms: number): Promise<void>
  /** Lets others go on, if it is their turn. */
  yield(): Promise<void>
  /** Does something else with the system that is open now, as one step of this client; rejects with `ProcessKilled` if it dies. */
  attempt<T>(work: (system: System) => Promise<T>): Promise<T>
}

/** What a client needs of its world. */
export interface ClientWorld {
  readonly agenda: Agenda
  /** The system that is open now. Throws `ProcessDown` while none is. */
  readonly system: System
  /** Waits until a system is open and does something with it, which ends at the latest with its process. */
  whileAlive<T>(work: () => Promise<T>): Promise<T>
  /** Makes a call the way it takes from a client to the system and back. */
  throughNetwork(lane: Lane, send: () => Promise<unknown>): Promise<unknown>
  /** A ref of the system that is open now, as a record of its methods by name. */
  refOf(definition: ActorDefinition, key: ActorKey): Record<string, unknown>
  addressOf(definition: ActorDefinition, key: ActorKey): string
  record(event: Omit<HistoryEvent, 'index' | 'time'>): void
  /** Has the run fail if nobody ever waits for a promise; `what` says what it is of. */
  expectAwaited<T>(what: string, promise: Promise<T>): Promise<T>
}

/** What is sent along with a call. */
type CallOptions = Readonly<Record<string, unknown>> | undefined

const READS = ['snapshot', 'timers', 'turns', 'lateResults', 'cancelTurn'] as const

const RETRY_MS = 100

/** After such an outcome the command has had no effect. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(['rejected', 'full'])

/** A client at run time. */
export class SimulatedClient implements Client {
  readonly name: string
  readonly #world: ClientWorld
  readonly #lane: Lane
  readonly #refs = new Map<ActorDefinition, Map<string, object>>()
  /** What it waits for, in words. */
  readonly #doing = new Map<object, string>()
  /** Numbers of processes that have no call under way. */
  readonly #free: number[] = []
  readonly #processes: () => number

  constructor(world: ClientWorld, name: string, lane: Lane, processes: () => number) {
    this.#world = world
    this.name = name
    this.#lane = lane
    this.#processes = processes
    this.#free.push(processes())
  }

  /** What it waits for, in words: one entry for each call or sleep. */
  get doing(): readonly string[] {
    return [...this.#doing.values()]
  }

  actor<Definition extends ActorDefinition>(definition: Definition, key: ActorKey): RefOf<Definition> {
    const id = typeof key === 'string' ? `"${key}"` : JSON.stringify(key)
    let known = this.#refs.get(definition)
    if (known === undefined) {
      known = new Map()
      this.#refs.set(definition, known)
    }
    let ref = known.get(id)
    if (ref === undefined) {
      ref = this.#refOf(definition, key)
      known.set(id, ref)
    }
    return ref as RefOf<Definition> // Built below, with the methods of a ref.
  }

  async retry<T>(call: () => Promise<T>, { waitMs = RETRY_MS }: { readonly waitMs?: number } = {}): Promise<T> {
    for (;;) {
      try {
        return await call()
      } catch (error) {
        if (!isWorthTrying(error)) throw error
        await this.sleep(waitMs)
      }
    }
  }

  async sleep(ms: number): Promise<void> {
    requireMs('sleep', ms)
    await this.#during('sleeps', () => new Promise<void>((resolve) => void this.#world.agenda.setTimer(this.#lane, resolve, ms)))
  }

  async yield(): Promise<void> {
    await new Promise<void>((resolve) => this.#world.agenda.post(this.#lane, resolve))
  }

  async attempt<T>(work: (system: System) => Promise<T>): Promise<T> {
    return await this.#during('waits for what it attempts', async () => {
      await this.yield()
      return await this.#world.whileAlive(() => work(this.#world.system))
    })
  }

  /** Notes what it waits for, until that is over. */
  async #during<T>(what: string, work: () => Promise<T>): Promise<T> {
    const entry = {}
    this.#doing.set(entry, `${this.name} ${what}`)
    try {
      return await work()
    } finally {
      this.#doing.delete(entry)
    }
  }

  #refOf(definition: ActorDefinition, key: ActorKey): object {
    const world = this.#world
    const methods = (how: 'ask' | 'tell'): object => {
      const made: Record<string, unknown> = {}
      for (const { name, kind } of definition.commands.values()) {
        if (how === 'tell' && kind === 'query') continue
        made[name] = (input?: unknown, options?: CallOptions) => {
          const what = `${how} ${world.addressOf(definition, key)} ${name}`
          const called = this.#during(`waits for ${what}`, () => this.#call(definition, key, how, name, input, options))
          return world.expectAwaited(`${this.name} has called ${what}`, called)
        }
      }
      return made
    }
    const reads: Record<string, unknown> = {}
    for (const name of READS) {
      reads[name] = (...args: unknown[]) =>
        this.attempt(async () => {
          const ref = world.refOf(definition, key)
          const method = ref[name] as (...given: unknown[]) => Promise<unknown> // One of the methods of every ref.
          return await method.apply(ref, args)
        })
    }
    return {
      type: definition.type,
      key,
      address: world.addressOf(definition, key),
      ask: methods('ask'),
      tell: methods('tell'),
      ...reads,
      lease: (name: string) => this.#gated(() => world.system.actor(definition, key).lease(name)),
      changes: () => world.system.actor(definition, key).changes(),
    }
  }

  /** An object of the system whose methods are steps of this client, and so are those of what they give. */
  #gated<T extends object>(target: () => T): T {
    const gated = (value: unknown): unknown => (hasMethods(value) ? this.#gated(() => value) : value)
    return new Proxy({} as T, {
      get: (_none, name) => {
        if (name === 'then') return undefined
        const current = target()
        const member: unknown = Reflect.get(current, name)
        if (typeof member !== 'function') return member
        return (...args: unknown[]) => this.attempt(async () => gated(await Reflect.apply(member, current, args)))
      },
    })
  }

  async #call(
    definition: ActorDefinition,
    key: ActorKey,
    how: 'ask' | 'tell',
    name: string,
    input: unknown,
    options: CallOptions,
  ): Promise<unknown> {
    const world = this.#world
    const address = world.addressOf(definition, key)
    await this.yield()
    const process = this.#free.pop() ?? this.#processes()
    const about = { process, by: this.name, f: name, key: address }
    world.record({ ...about, type: 'invoke', value: input ?? {} })
    try {
      const value = await world.throughNetwork(this.#lane, () => {
        const ref = world.refOf(definition, key)
        const methods = ref[how] as Record<string, ((...args: readonly unknown[]) => Promise<unknown>) | undefined> // By name, as made by the kernel.
        const method = methods[name]
        if (method === undefined) throw new TypeError(`${address} has no ${name}`)
        return options === undefined ? method(input) : method(input, options)
      })
      world.record({ ...about, type: 'ok', value })
      this.#free.push(process)
      return value
    } catch (error) {
      const isDeferred = definition.commands.get(name)?.reply === 'deferred'
      const isOver = hadNoEffect(error, isDeferred)
      world.record({ ...about, type: isOver ? 'fail' : 'info', value: described(error) })
      // Where nobody knows, the call may still take effect: from here on the client is somebody else.
      if (isOver) this.#free.push(process)
      throw error
    }
  }
}

function hasMethods(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype
}

/** Whether a command that ended with this error has certainly not changed its actor. */
function hadNoEffect(error: unknown, isDeferred: boolean): boolean {
  if (error instanceof ReplyLost) return false
  const code = codeOf(error)
  // A deferred command may have done something before it failed; any other has not.
  if (code === 'COMMAND_FAILED') return !isDeferred
  if (code === 'NOT_SERIALIZABLE' || code === 'ACTIVATION_FAILED' || code === 'NO_MIGRATION') return true
  return WITHOUT_EFFECT.has(outcomeOf(error))
}

function isWorthTrying(error: unknown): boolean {
  if (error instanceof ProcessKilled || error instanceof ReplyLost) return true
  // Errors of others are final unless they say something else.
  if (typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === true) return true
  return error instanceof BailiwickError && !hadNoEffect(error, false)
}

function codeOf(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

function described(error: unknown): { readonly code: string; readonly message: string } {
  return { code: codeOf(error) ?? 'ERROR', message: error instanceof Error ? error.message : String(error) }
}
