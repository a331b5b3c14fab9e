/**
 * Asks of children. They are not stored: a child is started again with its actor, and asks again. An answer is given to
 * its child only after the commit that it depends on; one that comes for a child of an earlier life is dropped.
 */
import { checkMs } from '../definition/input.ts'
import { AskTimeout, decodeError, messageOf } from '../errors.ts'
import type { EncodedError } from '../errors.ts'
import type { TellWish } from '../hosting/wish.ts'
import type { Timer } from '../seams/seams.ts'
import type { Cell } from './cell.ts'
import type { ShardCore } from './core.ts'
import type { ChainLink } from './detail.ts'
import { Gauge } from './gauges.ts'
import { deliver } from './parcels.ts'
import type { ChildAsksPart } from './parts.ts'
import { answerWithinMs, checkSend } from './wishes.ts'

interface Pending {
  readonly address: string
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  readonly timer: Timer
}

/** The children of one shard that wait for an answer. */
export class ChildAsks implements ChildAsksPart {
  readonly #core: ShardCore
  readonly #pending = new Map<number, Pending>()

  constructor(core: ShardCore) {
    this.#core = core
  }

  /** Asks on behalf of a child of an actor. Rejects like a request. */
  async ask(cell: Cell, chain: readonly ChainLink[], wish: TellWish, timeoutMs: number | undefined, signal: AbortSignal): Promise<unknown> {
    const core = this.#core
    const parcel = checkSend(core, cell, wish)
    const withinMs = checkMs(`asking of ${cell.address}`, 'timeoutMs', timeoutMs ?? answerWithinMs(core, parcel), 1)
    const number = core.takeSequence()
    const caller = { type: cell.kind.definition.storedAs, key: cell.key, request: number, life: core.store.epoch }
    return await new Promise((resolve, reject) => {
      const timer = core.clock.setTimer(() => {
        if (this.#forget(number) !== undefined) reject(new AskTimeout(core.addressOf(parcel.type, parcel.key), parcel.command, withinMs))
      }, withinMs)
      this.#pending.set(number, { address: cell.address, resolve, reject, timer })
      signal.addEventListener('abort', () => this.#forget(number), { once: true })
      core.batch.asked.push(number)
      deliver(core, { ...parcel, detail: { ...parcel.detail, caller, chain } })
      core.wake()
    })
  }

  isAsking(address: string): boolean {
    for (const pending of this.#pending.values()) if (pending.address === address) return true
    return false
  }

  /** After a commit: the answers that it holds go to their children. */
  settled(answers: readonly { readonly number: number; readonly input: object }[]): void {
    for (const { number, input } of answers) {
      const pending = this.#forget(number)
      if (pending === undefined) this.#core.count(Gauge.lateResults)
      else if ('error' in input) pending.reject(errorOf(input.error))
      else pending.resolve('output' in input ? input.output : undefined)
    }
  }

  rolledBack(asked: readonly number[], error: Error): void {
    for (const number of asked) this.#forget(number)?.reject(error)
  }

  /** Stops waiting. */
  close(): void {
    for (const number of this.#pending.keys()) this.#forget(number)
  }

  #forget(number: number): Pending | undefined {
    const pending = this.#pending.get(number)
    pending?.timer.cancel()
    this.#pending.delete(number)
    return pending
  }
}

/** An error as a request's event carries it, with its class again. */
function errorOf(error: unknown): Error {
  if (typeof error !== 'object' || error === null || !('code' in error)) return new Error(messageOf(error))
  const message = 'message' in error ? String(error.message) : ''
  const fields = { ...error } as EncodedError['fields'] // Written by `plainError`, which spreads them.
  return decodeError({ code: String(error.code), message, fields, stack: undefined, cause: undefined })
}
