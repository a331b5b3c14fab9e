/** What operators want of a shard, beside its actors' commands: dead letters, held actors, space on the disk. */
import { encodeError } from '../errors.ts'
import { FromShard } from '../protocol/from-shard.ts'
import type { FromShardMessage } from '../protocol/from-shard.ts'
import { ToShard } from '../protocol/to-shard.ts'
import type { HoldsMessage, LettersMessage } from '../protocol/to-shard.ts'
import type { ShardCore } from './core.ts'
import type { HeldView } from './fault.ts'
import { Gauge } from './gauges.ts'
import { discard, list, replay } from './letters.ts'
import type { Supervisor } from './supervisor.ts'

/** What operators need of the shard. */
export interface OperatorParts {
  readonly send: (messages: readonly FromShardMessage[]) => void
  readonly supervisor: Supervisor
}

/** Serves operators. */
export class Operators {
  readonly #core: ShardCore
  readonly #parts: OperatorParts
  /** What is done with letters, one after the other: what reads the store must not be overtaken. */
  #lettersDone: Promise<void> = Promise.resolve()
  /** Calls that wait for a moment between two batches to give space back. */
  readonly #compacting: number[] = []

  constructor(core: ShardCore, parts: OperatorParts) {
    this.#core = core
    this.#parts = parts
  }

  /** Reads dead letters, or takes them out as part of the open batch. */
  letters([tag, call, filter, limit]: LettersMessage): void {
    const core = this.#core
    const act = async (): Promise<void> => {
      if (tag === ToShard.listLetters) {
        this.#parts.send([[FromShard.value, call, await list(core, this.#stored(filter), limit)]])
        return
      }
      const letters = await core.readSteady(() => core.store.deadLetters(this.#stored(filter), limit))
      const count = tag === ToShard.replayLetters ? replay(core, letters) : discard(core, letters)
      core.batch.answers.push([FromShard.value, call, count])
      core.wake()
    }
    this.#lettersDone = this.#lettersDone.then(act).catch((error: unknown) => this.fail(call, error))
  }

  /** Lists held actors; holds or releases them as part of the open batch. */
  holds([, call, wish]: HoldsMessage): void {
    const core = this.#core
    const { supervisor } = this.#parts
    switch (wish.kind) {
      case 'list':
        this.#parts.send([[FromShard.value, call, supervisor.list(this.#stored(wish.filter), wish.limit).map((view) => this.#named(view))]])
        return
      case 'release':
        core.batch.answers.push([FromShard.value, call, supervisor.release(this.#stored(wish.filter), wish.limit)])
        break
      case 'hold': {
        const kind = core.kinds.find(({ definition }) => definition.type === wish.type)
        const isHeld = kind !== undefined && supervisor.hold(core.cellOf(kind, wish.key), wish.reason)
        core.batch.answers.push([FromShard.value, call, isHeld])
      }
    }
    core.wake()
  }

  /** Gives space back once no commit is under way. */
  compact(call: number): void {
    this.#compacting.push(call)
    this.#core.wake()
  }

  /** Does what has to be done between two batches. */
  async betweenBatches(): Promise<void> {
    const calls = this.#compacting.splice(0)
    if (calls.length === 0) return
    const { gauges } = this.#core
    gauges[Gauge.isCompacting] = 1
    try {
      await this.#core.store.compact()
      this.#parts.send(calls.map((call) => [FromShard.value, call]))
    } catch (error) {
      for (const call of calls) this.fail(call, error)
    } finally {
      gauges[Gauge.isCompacting] = 0
    }
  }

  /** Whether something has to be done between two batches. */
  get isAwaited(): boolean {
    return this.#compacting.length > 0
  }

  /** Answers a call with an error. */
  fail(call: number, error: unknown): void {
    this.#parts.send([[FromShard.error, call, encodeError(error)]])
  }

  /** A filter with the name under which a type is stored, for one that was renamed. */
  #stored<Filter extends { readonly type?: string }>(filter: Filter): Filter {
    const kind = this.#core.kinds.find(({ definition }) => definition.type === filter.type)
    return kind === undefined ? filter : { ...filter, type: kind.definition.storedAs }
  }

  #named(view: HeldView): HeldView {
    return { ...view, type: this.#core.kindOf(view.type)?.definition.type ?? view.type }
  }
}
