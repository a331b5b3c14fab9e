/**
 * Messages to other shards that they do not have yet, and how far the messages from and to each of them have come.
 */
import { BatchInvalid } from '../../errors.ts'
import type { Link, LinkMark, OutboxMessage } from '../../store.ts'
import { Ordered } from '../ordered.ts'
import type { Undo } from '../undo.ts'

/** The tables `outbox` and `link`. */
export class MemoryOutbox {
  readonly #messages = new Map<number, Ordered<OutboxMessage>>()
  readonly #links = new Map<number, Link>()

  get size(): number {
    let size = 0
    for (const messages of this.#messages.values()) size += messages.size
    return size
  }

  send(row: OutboxMessage, undo: Undo[]): void {
    const { peer, sequence, message } = row
    const messages = this.#to(peer)
    const after = { peer, sequence, message }
    if (messages.at(messages.positionOf(after))?.sequence === sequence) {
      throw new BatchInvalid(`it sends message ${sequence} to peer ${peer} twice`)
    }
    messages.add(after)
    undo.push(() => messages.remove(after))
    this.#raise(peer, sequence, 0, undo)
  }

  delivered(mark: LinkMark, undo: Undo[]): void {
    const messages = this.#to(mark.peer)
    for (let row = messages.at(0); row !== undefined && row.sequence <= mark.through; row = messages.at(0)) {
      const gone = row
      messages.remove(gone)
      undo.push(() => messages.add(gone))
    }
  }

  received(mark: LinkMark, undo: Undo[]): void {
    this.#raise(mark.peer, 0, mark.through, undo)
  }

  to(peer: number, after: number, limit: number): OutboxMessage[] {
    const messages = this.#to(peer)
    const found: OutboxMessage[] = []
    for (let position = messages.positionOf({ peer, sequence: after + 1, message: '' }); found.length < limit; position += 1) {
      const row = messages.at(position)
      if (row === undefined) break
      found.push({ ...row })
    }
    return found
  }

  /** Every link, by peer. */
  links(): Link[] {
    return [...this.#links.values()].sort((left, right) => left.peer - right.peer).map((link) => ({ ...link }))
  }

  #raise(peer: number, sent: number, received: number, undo: Undo[]): void {
    const before = this.#links.get(peer)
    this.#links.set(peer, { peer, sent: Math.max(sent, before?.sent ?? 0), received: Math.max(received, before?.received ?? 0) })
    undo.push(() => {
      if (before === undefined) this.#links.delete(peer)
      else this.#links.set(peer, before)
    })
  }

  #to(peer: number): Ordered<OutboxMessage> {
    const messages = this.#messages.get(peer)
    if (messages !== undefined) return messages
    const fresh = new Ordered<OutboxMessage>((left, right) => left.sequence - right.sequence)
    this.#messages.set(peer, fresh)
    return fresh
  }
}
