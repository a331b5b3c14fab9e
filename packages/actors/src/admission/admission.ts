/**
 * The facade: decides what counts for a request, asks the actors, waits, keeps slots while work runs. It holds no state of its own;
 * any number of them, in any number of callers, may use one system.
 */
import type { RefOf, System } from '@bailiwick/kernel'
import { realSurroundings } from '../seams.ts'
import type { Surroundings } from '../seams.ts'
import type { BellDefinition } from './bell.actor.ts'
import { requireIdAndWait } from './check-request.ts'
import type { AdmissionDefinition } from './define-admission.ts'
import { AdmissionCancelled, AdmissionRefused, ExecutionOver, QueueFull, QueueTimeout, SlotLost } from './errors.ts'
import { sumOf } from './figures.ts'
import type { QueueFigures, Whereabouts } from './figures.ts'
import { groupOf } from './group.ts'
import { codeOf, Hearing } from './hearing.ts'
import { placeOf, ruleOn } from './policies.ts'
import type { Ruling, Violation } from './policies.ts'
import type { QueueDefinition } from './queue.actor.ts'
import type {
  Acquired,
  AcquireRequest,
  AdmissionFigures,
  Ended,
  Execution,
  Full,
  Granted,
  Place,
  Queued,
  Refused,
  Slot,
  WorkContext,
} from './requests.ts'
import { SlotKeeper } from './slot-keeper.ts'

/** What stays the same while a request is dealt with. */
interface Case {
  readonly id: string
  readonly key: readonly string[]
  readonly queue: RefOf<QueueDefinition>
  readonly bell: RefOf<BellDefinition>
}

const LOOKS_PER_TTL = 3
const RELEASES_MAX = 3
const READ_AT_ONCE = 64
const ID_BYTES = 16

/** The admission of one definition, as its callers use it. */
export class Admission {
  readonly #system: Pick<System, 'actor'>
  readonly #definition: AdmissionDefinition
  readonly #surroundings: Pick<Surroundings, 'randomBytes'>

  constructor(
    system: Pick<System, 'actor'>,
    definition: AdmissionDefinition,
    surroundings: Pick<Surroundings, 'randomBytes'> = realSurroundings,
  ) {
    this.#system = system
    this.#definition = definition
    this.#surroundings = surroundings
  }

  /**
   * Waits for a slot, does the work, and gives the slot back however the work ends. The lease is renewed while it runs. Resolves and
   * rejects as the work does. Rejects with `AdmissionRefused`, `QueueFull`, `QueueTimeout`, `AdmissionCancelled`, `ExecutionOver` or
   * `SlotLost` if the work has not begun. The signal ends the waiting, not the work. Without an `executionId` one is made.
   */
  async run<T>(
    request: Omit<AcquireRequest, 'executionId'> & { readonly executionId?: string; readonly signal?: AbortSignal },
    work: (context: WorkContext) => T | Promise<T>,
  ): Promise<T> {
    const { signal, executionId = this.#newId(), ...rest } = request
    const acquired = await this.acquire({ ...rest, executionId }, signal === undefined ? {} : { signal })
    if (acquired.outcome !== 'granted') throw errorOf(executionId, acquired)
    const { slot } = acquired
    const keeper = new SlotKeeper(slot, this.#queueOf(slot.key), this.#bellOf(slot.key, executionId), this.#lookMs)
    try {
      return await work({ executionId, epoch: slot.epoch, signal: keeper.signal })
    } finally {
      await keeper.stop()
      await this.#giveBack(slot)
    }
  }

  /**
   * Takes a slot or a place, and does not wait. Asking again for a known execution answers where it is, and renews the lease of a
   * slot that it holds.
   */
  async enqueue(request: AcquireRequest): Promise<Granted | Queued | Refused | Full | Ended> {
    const ruled = await this.#request(request)
    return 'ticket' in ruled ? { outcome: 'queued', position: ruled.position, deadline: ruled.deadline } : ruled
  }

  /**
   * Takes a slot, waiting for it as long as it may. If it rejects, the execution may still wait, or have got its slot: ask again with the
   * same `executionId` to go on, or cancel it. The signal ends the waiting: it cancels the execution, and rejects with `AskAborted`;
   * one that has fired before rejects with its reason, and nothing is asked.
   */
  async acquire(request: AcquireRequest, options: { readonly signal?: AbortSignal } = {}): Promise<Acquired> {
    options.signal?.throwIfAborted()
    const ruled = await this.#request(request)
    if (!('ticket' in ruled)) return ruled
    try {
      return await this.#wait(ruled.case, ruled.ticket, options.signal)
    } catch (error) {
      if (codeOf(error) === 'ASK_ABORTED') await Promise.allSettled([ruled.case.queue.ask.cancel({ id: request.executionId })])
      throw error
    }
  }

  /** Renews the lease of a slot: it lasts `ttlMs` from now on. `stale`: it has ended, or is another by now. */
  async renew(slot: Slot): Promise<{ readonly outcome: 'renewed'; readonly until: number } | { readonly outcome: 'stale' }> {
    return await this.#queueOf(slot.key).ask.renew({ id: slot.executionId, epoch: slot.epoch })
  }

  /**
   * Gives a slot back, or leaves the queue. A slot whose lease has ended, and that may be another's by now, is `stale`: nothing
   * changes. An execution without its slot is meant wherever it is.
   */
  async release(what: Slot | Execution): Promise<{ readonly outcome: 'released' | 'removed' | 'stale' | 'unknown' }> {
    const { executionId: id } = what
    if ('epoch' in what) return await this.#queueOf(what.key).ask.release({ id, epoch: what.epoch })
    return await this.#queueOf(this.#keyOf(what)).ask.release({ id })
  }

  /** Takes an execution out: one that waits hears `cancelled`, one that works gets its signal, and its slot is free at once. */
  async cancel(
    execution: Execution,
  ): Promise<{ readonly outcome: 'cancelled'; readonly was: 'waiting' | 'active' } | { readonly outcome: 'unknown' }> {
    return await this.#queueOf(this.#keyOf(execution)).ask.cancel({ id: execution.executionId })
  }

  /**
   * Sets how many may work at a time in one queue, whatever the rules say; `null` gives it back to the rules. A higher limit starts as many
   * as fit, at once; a lower one ends nobody, and nobody starts until enough have ended. With an idempotency key it counts once.
   */
  async setLimit(
    place: Place,
    limit: number | null,
    options: { readonly idempotencyKey?: string } = {},
  ): Promise<{ readonly limit: number; readonly promoted: number }> {
    const { limit: now, promoted } = await this.#queueOf(this.#keyOf(place)).ask.setLimit({ limit }, options)
    return { limit: now, promoted }
  }

  /** Where an execution is. */
  async position(execution: Execution): Promise<Whereabouts> {
    return await this.#queueOf(this.#keyOf(execution)).ask.look({ id: execution.executionId })
  }

  /**
   * Figures of one queue, or without `parameters` of all groups together; `undefined` if it was never used. A group that is used for the first time
   * is in the sum a moment later.
   */
  async stats(place: Place): Promise<AdmissionFigures | undefined> {
    if (place.parameters !== undefined || this.#definition.rules.groupBy.length === 0) {
      const figures = await this.#queueOf(this.#keyOf(place)).ask.figures()
      return figures === null ? undefined : { ...figures, groups: 1, isComplete: true }
    }
    const { scope, name } = placeOf(this.#definition.rules.policies, placed(place))
    const { groups, isComplete } = await this.#system.actor(this.#definition.directory, [scope, name]).ask.list()
    const all: QueueFigures[] = []
    for (let start = 0; start < groups.length; start += READ_AT_ONCE) {
      const some = groups.slice(start, start + READ_AT_ONCE).map((group) => this.#queueOf([scope, name, group]).ask.figures())
      all.push(...(await Promise.all(some)).filter((figures) => figures !== null))
    }
    return all.length === 0 ? undefined : { ...sumOf(all), groups: all.length, isComplete }
  }

  /** Rules, meters, queue: up to the first answer that the queue gives. */
  async #request(
    request: AcquireRequest,
  ): Promise<Granted | Refused | Full | Ended | { ticket: number; position: number; deadline: number; case: Case }> {
    const { rules } = this.#definition
    const { executionId: id, waitMs = rules.waitMs } = request
    // Before anything is counted: what can never be asked for must not use up what others may.
    requireIdAndWait(this.#definition.type, id, waitMs)
    const ruling = ruleOn(rules.policies, placed(request), rules.limit)
    if ('rule' in ruling) return { outcome: 'refused', violation: ruling }
    const key = this.#keyOf(request)
    // A bell's key is the longest: what does not fit is found before anything is asked.
    const found: Case = { id, key, queue: this.#queueOf(key), bell: this.#bellOf(key, id) }
    const { violation, counted } = await this.#count(id, ruling)
    if (violation !== undefined) return { outcome: 'refused', violation }
    const { limit, method, place } = ruling
    const answer = await found.queue.ask.acquire({
      id,
      limit,
      method,
      maxLength: rules.maxLength,
      waitMs: Math.min(waitMs, rules.waitMs),
      ttlMs: rules.ttlMs,
    })
    switch (answer.outcome) {
      case 'granted':
        return { outcome: 'granted', slot: { executionId: id, key, epoch: answer.epoch } }
      case 'queued':
        return { ticket: answer.serial, position: answer.position, deadline: answer.deadline, case: found }
      case 'refused':
        await this.#uncount(id, counted)
        return { outcome: 'refused', violation: { ...place, rule: 'concurrency', count: answer.active, max: answer.limit } }
      case 'full':
        await this.#uncount(id, counted)
        return { outcome: 'full', waiting: answer.waiting, maxLength: answer.maxLength }
      case 'ended':
        await this.#uncount(id, counted)
        return { outcome: answer.how }
    }
  }

  /** Waits at the bell, and looks at the queue whenever nothing is heard. */
  async #wait({ id, key, queue, bell }: Case, ticket: number, signal: AbortSignal | undefined): Promise<Granted | Ended> {
    const hearing = new Hearing(bell, this.#lookMs, ticket, signal)
    const granted = (epoch: number): Granted => ({ outcome: 'granted', slot: { executionId: id, key, epoch } })
    for (;;) {
      const news = await hearing.next()
      if (news !== undefined) return news.outcome === 'granted' ? granted(news.serial) : { outcome: news.outcome }
      const where = await queue.ask.look({ id }, signal === undefined ? {} : { signal })
      if (where.outcome === 'active') return granted(where.epoch)
      if (where.outcome === 'waiting') continue
      return { outcome: where.outcome === 'ended' && where.serial > ticket ? where.how : 'unknown' }
    }
  }

  /** Counts an execution in every meter that concerns it; the first that does not allow it takes the others back. */
  async #count(
    id: string,
    { meters }: Ruling,
  ): Promise<{ readonly violation?: Violation; readonly counted: readonly (readonly string[])[] }> {
    const counted: (readonly string[])[] = []
    for (const { scope, name, rates, quotas } of meters) {
      const answer = await this.#system.actor(this.#definition.meter, [scope, name]).ask.take({ id, rates, quotas })
      if (answer.outcome === 'refused') {
        const { outcome: _outcome, ...violation } = answer
        await this.#uncount(id, counted)
        return { violation: { scope, name, ...violation }, counted: [] }
      }
      if (answer.isNew) counted.push([scope, name])
    }
    return { counted }
  }

  /** What cannot be taken back stays counted: less is allowed then, never more. */
  async #uncount(id: string, counted: readonly (readonly string[])[]): Promise<void> {
    const { meter } = this.#definition
    await Promise.allSettled(counted.map((key) => this.#system.actor(meter, key).ask.giveBack({ id })))
  }

  /** What cannot be given back is taken back when its lease ends. */
  async #giveBack(slot: Slot): Promise<void> {
    for (let tries = 0; tries < RELEASES_MAX; tries += 1) {
      try {
        await this.release(slot)
        return
      } catch {
        // A release that counts twice does no harm.
      }
    }
  }

  get #lookMs(): number {
    return Math.floor(this.#definition.rules.ttlMs / LOOKS_PER_TTL)
  }

  #keyOf(place: Place): readonly string[] {
    const { rules } = this.#definition
    const { scope, name } = placeOf(rules.policies, placed(place))
    return [scope, name, groupOf(place.parameters ?? {}, rules.groupBy)]
  }

  #queueOf(key: readonly string[]): RefOf<QueueDefinition> {
    return this.#system.actor(this.#definition.queue, key)
  }

  #bellOf(key: readonly string[], executionId: string): RefOf<BellDefinition> {
    return this.#system.actor(this.#definition.bell, [...key, executionId])
  }

  #newId(): string {
    return Buffer.from(this.#surroundings.randomBytes(ID_BYTES)).toString('base64url')
  }
}

function placed({ action, pack, parameters = {} }: Place): Parameters<typeof ruleOn>[1] {
  return pack === undefined ? { action, parameters } : { action, pack, parameters }
}

function errorOf(executionId: string, how: Exclude<Acquired, Granted>): Error {
  switch (how.outcome) {
    case 'refused':
      return new AdmissionRefused(executionId, how.violation)
    case 'full':
      return new QueueFull(executionId, how.waiting, how.maxLength)
    case 'timed-out':
      return new QueueTimeout(executionId)
    case 'cancelled':
      return new AdmissionCancelled(executionId)
    case 'released':
      return new ExecutionOver(executionId)
    case 'expired':
    case 'unknown':
      return new SlotLost(executionId, how.outcome)
  }
}
