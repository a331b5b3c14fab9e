/** Callers that wait for a lease, in order. They are in memory only: a caller whose shard dies has its error. */
import { FromShard } from '../protocol/from-shard.ts'
import type { FromShardMessage } from '../protocol/from-shard.ts'
import type { Timer } from '../seams/seams.ts'
import type { Cell } from './cell.ts'
import type { ShardCore } from './core.ts'
import type { LeaseQueuePart, LeaseWaiter } from './parts.ts'

/** A caller with the timer that ends its wait. */
interface Queued {
  readonly waiter: LeaseWaiter
  readonly timer: Timer
}

/** All callers of one shard that wait for leases. */
export class LeaseQueue implements LeaseQueuePart {
  readonly #core: ShardCore
  readonly #send: (messages: readonly FromShardMessage[]) => void
  readonly #queues = new Map<string, Queued[]>()

  constructor(core: ShardCore, send: (messages: readonly FromShardMessage[]) => void) {
    this.#core = core
    this.#send = send
  }

  size(cell: Cell, name: string): number {
    return this.#queues.get(nameOf(cell, name))?.length ?? 0
  }

  add(cell: Cell, name: string, waiter: LeaseWaiter): void {
    const id = nameOf(cell, name)
    const timer = this.#core.clock.setTimer(() => {
      if (this.#remove(id, waiter.call)) this.#send([[FromShard.value, waiter.call, waiter.refused]])
    }, waiter.waitMs)
    const queue = this.#queues.get(id)
    if (queue === undefined) this.#queues.set(id, [{ waiter, timer }])
    else queue.push({ waiter, timer })
    this.#core.batch.leaseWaits.push(waiter.call)
  }

  rolledBack(calls: readonly number[]): readonly number[] {
    return calls.filter((call) => this.withdraw(call))
  }

  shift(cell: Cell, name: string): LeaseWaiter | undefined {
    const id = nameOf(cell, name)
    const waiter = this.#queues.get(id)?.[0]?.waiter
    if (waiter !== undefined) this.#remove(id, waiter.call)
    return waiter
  }

  /** Lets a call wait no more; its caller has left. Answers whether it waited. */
  withdraw(call: number): boolean {
    for (const id of this.#queues.keys()) if (this.#remove(id, call)) return true
    return false
  }

  /** Forgets those who wait for a lease of an actor. Answers whose calls they were. */
  drainOf(cell: Cell): readonly number[] {
    const calls: number[] = []
    for (const [id, queue] of this.#queues) {
      if (id.startsWith(nameOf(cell, ''))) calls.push(...queue.map(({ waiter }) => waiter.call))
    }
    for (const call of calls) this.withdraw(call)
    return calls
  }

  /** Forgets everybody. Answers whose calls they were. */
  drain(): readonly number[] {
    const calls: number[] = []
    for (const queue of this.#queues.values()) {
      for (const { waiter, timer } of queue) {
        timer.cancel()
        calls.push(waiter.call)
      }
    }
    this.#queues.clear()
    return calls
  }

  #remove(id: string, call: number): boolean {
    const queue = this.#queues.get(id)
    const index = queue?.findIndex(({ waiter }) => waiter.call === call) ?? -1
    if (queue === undefined || index === -1) return false
    queue[index]?.timer.cancel()
    queue.splice(index, 1)
    if (queue.length === 0) this.#queues.delete(id)
    return true
  }
}

function nameOf(cell: Cell, name: string): string {
  return `${cell.address}\u0000${name}`
}
