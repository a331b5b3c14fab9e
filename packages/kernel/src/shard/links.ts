/**
 * Links: messages from this shard's actors to actors of other shards, and back.
 *
 * The sender owns the truth until the receiver has it:
 *
 * 1. A message is a row of the outbox, with the next position on the link to its peer, in the commit of the transition
 *    that wants it. Only then does it leave.
 * 2. The receiver takes positions in order and without a gap. It notes the last one in the commit that has the message
 *    handled, or in its inbox; so a message that comes twice is taken once.
 * 3. After that commit it confirms, and the sender deletes the rows with its next commit.
 * 4. Anything on the way may be lost, mostly with a thread. When a peer is started, when it asks, and when it has confirmed
 *    nothing for a while, the sender sends again what was not confirmed; a receiver that sees a gap, or whose commit has
 *    failed, asks.
 *
 * At most `WINDOW` messages to a peer are in memory; the rest wait in the store.
 */
import type { Link, OutboxMessage } from '@bailiwick/store'
import { BetweenShards, decodeBetweenShards, encodeBetweenShards } from '../protocol/between-shards.ts'
import type { BetweenShardsMessage } from '../protocol/between-shards.ts'
import type { OpenBatch } from './batch.ts'
import type { ShardCore } from './core.ts'
import type { Parcel } from './detail.ts'
import type { LinksPart } from './parts.ts'
import { Fifo } from './fifo.ts'
import { admitParcel } from './parcels.ts'

const WINDOW = 4_096
const RETRY_MS = 1_000
/** Wishes to send again that come so soon after the last time mean the same loss. */
const RESEND_MS = 100
const DELETE_MS = 1_000
/** What nobody has confirmed for so long is sent again, whatever it was lost with. */
const PATIENCE_MS = 5_000

/** One peer. */
class Peer {
  readonly index: number
  /** Position of the last message that is in the store. */
  sent = 0
  /** Position of the last message that the peer has confirmed. */
  confirmed = 0
  /** Of that, how much is deleted from the store. */
  deleted = 0
  /** Position of the last message that was taken from it, in the open batch or before. */
  taken = 0
  /** Of that, how much is committed. */
  received = 0
  /** Messages that are committed and not confirmed. */
  readonly window = new Fifo<OutboxMessage>()
  /** Elapsed time at which it was last asked to send again, while that has brought nothing. */
  askedAt: number | undefined = undefined
  /** Elapsed time at which the whole window was last sent again. */
  resentAt = Number.NEGATIVE_INFINITY
  owesConfirm = false
  isReading = false

  constructor(index: number) {
    this.index = index
  }

  /** Whether the store has messages behind those of the window. */
  get isBehind(): boolean {
    return (this.window.last()?.sequence ?? this.confirmed) < this.sent
  }
}

/** All links of one shard. */
export class Links implements LinksPart {
  readonly #core: ShardCore
  readonly #post: (peer: number, text: string) => void
  readonly #peers = new Map<number, Peer>()
  #isDeleting = false
  #isWatching = false

  constructor(core: ShardCore, post: (peer: number, text: string) => void) {
    this.#core = core
    this.#post = post
  }

  /** Takes up a link where the last life of the shard has left it. */
  async restore(link: Link): Promise<void> {
    const peer = this.#peer(link.peer)
    peer.sent = link.sent
    peer.taken = link.received
    peer.received = link.received
    const messages = await this.#read(peer, 0, WINDOW)
    // What the store has no more was confirmed.
    peer.confirmed = (messages[0]?.sequence ?? peer.sent + 1) - 1
    peer.deleted = peer.confirmed
    for (const message of messages) peer.window.push(message)
    this.#send(peer, messages)
  }

  /** Promises a message to a peer, as part of the open batch. */
  post(peer: number, parcel: Parcel): void {
    this.#core.batch.posts.push({ peer, message: JSON.stringify(parcel) })
  }

  /** Gives the messages of a batch their positions. Only one batch at a time is between here and its commit. */
  seal(batch: OpenBatch): void {
    if (batch.posts.length === 0) return
    const last = new Map<number, number>()
    for (const { peer, message } of batch.posts) {
      const sequence = (last.get(peer) ?? this.#peer(peer).sent) + 1
      last.set(peer, sequence)
      batch.outbox.push({ peer, sequence, message })
    }
  }

  /** Takes what has arrived from a peer. */
  receive(index: number, text: string): void {
    const peer = this.#peer(index)
    for (const message of decodeBetweenShards(text)) {
      if (message[0] === BetweenShards.message) this.#take(peer, message[1], message[2])
      else this.#confirmed(peer, message[1], message[0] === BetweenShards.again)
    }
    // Repetitions are confirmed once for all of them.
    if (!peer.owesConfirm) return
    peer.owesConfirm = false
    this.#confirm(peer, BetweenShards.confirm)
  }

  /** Sends again what a peer has not confirmed: it has been started anew. */
  resend(index: number): void {
    const peer = this.#peers.get(index)
    if (peer === undefined) return
    peer.resentAt = this.#core.clock.elapsed()
    this.#send(peer, [...peer.window])
  }

  /** Puts deletions into a batch that is committed anyway. */
  deleteConfirmed(batch: OpenBatch): void {
    for (const peer of this.#peers.values()) {
      if (peer.confirmed > peer.deleted) batch.delivered.push({ peer: peer.index, through: peer.confirmed })
    }
  }

  /** After a commit: messages leave, and what was admitted is confirmed. */
  settled(batch: OpenBatch): void {
    for (const { peer: index, through } of batch.delivered) {
      this.#peer(index).deleted = through
    }
    if (batch.outbox.length > 0) this.#leave(batch.outbox)
    for (const { peer: index, through } of batch.received) {
      const peer = this.#peer(index)
      peer.received = through
      this.#confirm(peer, BetweenShards.confirm)
    }
  }

  /** After a failed commit: what it took is asked for again. */
  rolledBack(batch: OpenBatch): void {
    for (const index of batch.admitted.keys()) {
      const peer = this.#peer(index)
      peer.taken = peer.received
      this.#core.clock.setTimer(() => this.#confirm(peer, BetweenShards.again), RETRY_MS)
    }
  }

  /** Asks a peer to send again, once for each gap, and again if nothing comes of it. */
  #askAgain(peer: Peer): void {
    const now = this.#core.clock.elapsed()
    if (peer.askedAt !== undefined && now - peer.askedAt < RETRY_MS) return
    peer.askedAt = now
    this.#confirm(peer, BetweenShards.again)
  }

  /** Deletions go with the next commit; where none comes, with one of their own. */
  #deleteSoon(): void {
    if (this.#isDeleting) return
    this.#isDeleting = true
    this.#core.clock.setTimer(() => {
      this.#isDeleting = false
      if (![...this.#peers.values()].some((peer) => peer.confirmed > peer.deleted)) return
      this.#core.batch.wantsCommit = true
      this.#core.wake()
    }, DELETE_MS)
  }

  #leave(messages: readonly OutboxMessage[]): void {
    const byPeer = new Map<Peer, OutboxMessage[]>()
    for (const message of messages) {
      const peer = this.#peer(message.peer)
      const isNext = !peer.isBehind && peer.window.size < WINDOW
      peer.sent = message.sequence
      if (!isNext) continue
      peer.window.push(message)
      const leaving = byPeer.get(peer)
      if (leaving === undefined) byPeer.set(peer, [message])
      else leaving.push(message)
    }
    for (const [peer, leaving] of byPeer) this.#send(peer, leaving)
  }

  #take(peer: Peer, sequence: number, message: string): void {
    if (sequence !== peer.taken + 1) {
      // A repetition is confirmed again; a gap means that something was lost on the way.
      if (sequence <= peer.received) peer.owesConfirm = true
      else if (sequence > peer.taken + 1) this.#askAgain(peer)
      return
    }
    peer.taken = sequence
    peer.askedAt = undefined
    this.#core.batch.admitted.set(peer.index, sequence)
    admitParcel(this.#core, JSON.parse(message) as Parcel) // Written by `post` of the peer.
  }

  #confirmed(peer: Peer, through: number, isAgain: boolean): void {
    if (through > peer.confirmed) {
      this.#core.outboxSize -= through - peer.confirmed
      peer.confirmed = through
      this.#deleteSoon()
    }
    for (let first = peer.window.peek(); first !== undefined && first.sequence <= peer.confirmed; first = peer.window.peek()) {
      peer.window.shift()
    }
    if (isAgain && this.#core.clock.elapsed() - peer.resentAt >= RESEND_MS) this.resend(peer.index)
    if (peer.isBehind && peer.window.size < WINDOW / 2) this.#readOn(peer)
  }

  /** Fills the window from the store. */
  #readOn(peer: Peer): void {
    if (peer.isReading) return
    peer.isReading = true
    const last = peer.window.last()?.sequence ?? peer.confirmed
    const limit = WINDOW - peer.window.size
    const take = (messages: readonly OutboxMessage[]): void => {
      peer.isReading = false
      for (const message of messages) peer.window.push(message)
      this.#send(peer, messages)
      if (messages.length > 0 && peer.isBehind && peer.window.size < WINDOW / 2) this.#readOn(peer)
    }
    this.#read(peer, last, limit).then(take, () => {
      peer.isReading = false
      this.#core.clock.setTimer(() => this.#readOn(peer), RETRY_MS)
    })
  }

  async #read(peer: Peer, after: number, limit: number): Promise<readonly OutboxMessage[]> {
    return await this.#core.store.outboxTo(peer.index, after, limit)
  }

  /** Looks now and then whether what has left is confirmed, for as long as anything is not. */
  #watchWindows(): void {
    if (this.#isWatching) return
    this.#isWatching = true
    const waiting = [...this.#peers.values()].filter(({ window }) => window.size > 0).map((peer) => ({ peer, confirmed: peer.confirmed }))
    this.#core.clock.setTimer(() => {
      this.#isWatching = false
      for (const { peer, confirmed } of waiting) if (peer.window.size > 0 && peer.confirmed === confirmed) this.resend(peer.index)
      if ([...this.#peers.values()].some(({ window }) => window.size > 0)) this.#watchWindows()
    }, PATIENCE_MS)
  }

  #send(peer: Peer, messages: readonly OutboxMessage[]): void {
    if (messages.length === 0) return
    this.#watchWindows()
    this.#postAll(
      peer,
      messages.map(({ sequence, message }) => [BetweenShards.message, sequence, message]),
    )
  }

  #confirm(peer: Peer, tag: typeof BetweenShards.confirm | typeof BetweenShards.again): void {
    this.#postAll(peer, [[tag, peer.received]])
  }

  #postAll(peer: Peer, messages: readonly BetweenShardsMessage[]): void {
    this.#post(peer.index, encodeBetweenShards(messages))
  }

  #peer(index: number): Peer {
    let peer = this.#peers.get(index)
    if (peer === undefined) {
      peer = new Peer(index)
      this.#peers.set(index, peer)
    }
    return peer
  }
}
