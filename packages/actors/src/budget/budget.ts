/** The facade of budgets: typed calls, and no state. */
import type { ActorKey, AskOptions, System } from '@bailiwick/kernel'
import { realSurroundings } from '../seams.ts'
import type { Surroundings } from '../seams.ts'
import type { BudgetDefinition, BudgetModeView, BudgetReserveInput } from './define-budget.ts'
import type { BudgetBalance } from './ledger.ts'
import type { BudgetRecordOutcome, BudgetReleaseOutcome, BudgetRenewOutcome, BudgetReserveOutcome } from './outcomes.ts'
import type { ResponseMode } from './response-mode.ts'

/** Options of every call. */
export type BudgetCallOptions = Pick<AskOptions, 'timeoutMs' | 'signal' | 'priority'>

/** Options of `resize`, which has no id of its own. */
export type BudgetResizeOptions = Pick<AskOptions, 'idempotencyKey' | 'timeoutMs' | 'signal' | 'priority'>

const ID_BYTES = 16

/**
 * Spends budgets together: any number of these may stand before the same system and definition. Every call may be repeated with
 * the same id: it takes effect once.
 */
export class Budget {
  readonly #system: Pick<System, 'actor'>
  readonly #definition: BudgetDefinition
  readonly #surroundings: Pick<Surroundings, 'randomBytes'>

  constructor(
    system: Pick<System, 'actor'>,
    definition: BudgetDefinition,
    surroundings: Pick<Surroundings, 'randomBytes'> = realSurroundings,
  ) {
    this.#system = system
    this.#definition = definition
    this.#surroundings = surroundings
  }

  /**
   * Reserves an amount, or what remains of the budget. Without an `id` one is made, which the outcome names; give one where the
   * call may be repeated. The reservation counts until it is recorded, released, or its lease is over: renew it in time.
   */
  async reserve(key: ActorKey, request: Partial<BudgetReserveInput> = {}, options: BudgetCallOptions = {}): Promise<BudgetReserveOutcome> {
    const { id = this.#newId(), amount, ttlMs } = request
    const input = { id, ...(amount === undefined ? {} : { amount }), ...(ttlMs === undefined ? {} : { ttlMs }) }
    return await this.#system.actor(this.#definition, key).ask.reserve(input, options)
  }

  /** Ends a reservation with what it has cost, which may be less or more than was reserved. */
  async record(key: ActorKey, id: string, actual: number, options: BudgetCallOptions = {}): Promise<BudgetRecordOutcome> {
    return await this.#system.actor(this.#definition, key).ask.record({ id, actual }, options)
  }

  /** Ends a reservation that has cost nothing. */
  async release(key: ActorKey, id: string, options: BudgetCallOptions = {}): Promise<BudgetReleaseOutcome> {
    return await this.#system.actor(this.#definition, key).ask.release({ id }, options)
  }

  /** Lets a reservation count for `ttlMs` from now on, if that is longer than it does already. Default: as long as a new one. */
  async renew(key: ActorKey, id: string, ttlMs?: number, options: BudgetCallOptions = {}): Promise<BudgetRenewOutcome> {
    return await this.#system.actor(this.#definition, key).ask.renew({ id, ...(ttlMs === undefined ? {} : { ttlMs }) }, options)
  }

  /**
   * Changes what the budget has in all. Reservations stay; below what is used and reserved nothing more is granted. Under the same
   * `idempotencyKey` it counts once.
   */
  async resize(key: ActorKey, total: number, options: BudgetResizeOptions = {}): Promise<BudgetBalance> {
    // A call that nobody repeats may still arrive twice, and late: it must not undo a later one.
    const { idempotencyKey = this.#newId() } = options
    return await this.#system.actor(this.#definition, key).ask.resize({ total }, { ...options, idempotencyKey })
  }

  /** What the budget has now. */
  async balance(key: ActorKey, options: BudgetCallOptions = {}): Promise<BudgetBalance> {
    return await this.#system.actor(this.#definition, key).ask.balance({}, options)
  }

  /** The mode in which to answer now; never more generous than the one that was asked for. */
  async responseMode(key: ActorKey, asked: ResponseMode, options: BudgetCallOptions = {}): Promise<BudgetModeView> {
    return await this.#system.actor(this.#definition, key).ask.responseMode({ asked }, options)
  }

  #newId(): string {
    return Buffer.from(this.#surroundings.randomBytes(ID_BYTES)).toString('base64url')
  }
}
