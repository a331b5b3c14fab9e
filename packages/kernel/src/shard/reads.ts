/** Reads that are answered from the store: timers, turns, late results, and the state of actors that are held back. */
import { encodeError } from '../errors.ts'
import { FromShard } from '../protocol/from-shard.ts'
import type { FromShardMessage } from '../protocol/from-shard.ts'
import type { Waiting } from './cell.ts'
import type { ShardCore } from './core.ts'
import { viewStored } from './held.ts'
import { leaseOfTimer } from './lease.ts'
import { callOfTimer } from './open-call.ts'
import { viewOfLateResult, viewOfTurn } from './turn-view.ts'

/** Answers reads, after the commit that they wait for. */
export class Reads {
  readonly #core: ShardCore
  readonly #send: (messages: readonly FromShardMessage[]) => void

  constructor(core: ShardCore, send: (messages: readonly FromShardMessage[]) => void) {
    this.#core = core
    this.#send = send
  }

  /** Answers a read of an actor that is held back, from what is stored. */
  peek(waiting: Waiting): void {
    const { cell, call, tag } = waiting
    if (tag === 'timers') this.timers(waiting)
    else if (tag === 'turns' || tag === 'late-results') this.turns(waiting)
    else {
      const read = async (): Promise<void> => {
        const core = this.#core
        const { definition, host, isDurable } = cell.kind
        const stored = isDurable ? await core.readSteady(() => core.store.load(definition.storedAs, cell.key)) : undefined
        const view = isDurable || cell.hosted === undefined ? viewStored(cell, stored) : host.view(cell.hosted)
        if (tag === 'snapshot') {
          this.#send([[FromShard.value, call, view]])
          return
        }
        const followers = core.followers.get(cell.address) ?? new Set<number>()
        core.followers.set(cell.address, followers.add(call))
        this.#send([[FromShard.change, call, view]])
      }
      read().catch((error: unknown) => this.#fail(call, error))
    }
  }

  /** Answers with the timers of an actor. */
  timers(waiting: Waiting): void {
    const { cell, call } = waiting
    const read = async (): Promise<void> => {
      const timers = await this.#core.store.timersOf(cell.kind.definition.storedAs, cell.key)
      const views = timers
        .filter(({ name }) => callOfTimer(name) === undefined && leaseOfTimer(name) === undefined)
        .map(({ name, dueAt, everyMs, event }) => ({ name, dueAt, everyMs: Math.abs(everyMs), event: JSON.parse(event) as unknown }))
      this.#send([[FromShard.value, call, views]])
    }
    read().catch((error: unknown) => this.#fail(call, error))
  }

  /** Answers with the turns of an actor, or with its late results. */
  turns(waiting: Waiting): void {
    const core = this.#core
    const { cell, call, tag, input } = waiting
    const { limit } = input as { readonly limit: number } // Written by `Ref`.
    const { storedAs: type } = cell.kind.definition
    const read = async (): Promise<void> => {
      const views =
        tag === 'turns'
          ? (await core.store.turnsOf(type, cell.key, limit)).map((row) => viewOfTurn(cell, row, core.turns.silentMs(row.sequence)))
          : (await core.store.lateResults({ type, key: cell.key }, limit)).map(viewOfLateResult)
      this.#send([[FromShard.value, call, views]])
    }
    read().catch((error: unknown) => this.#fail(call, error))
  }

  #fail(call: number, error: unknown): void {
    this.#send([[FromShard.error, call, encodeError(error)]])
  }
}
