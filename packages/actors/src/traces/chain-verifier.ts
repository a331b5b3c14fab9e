/** Verifies a chain record by record, in the order of their numbers. It remembers the last hash and nothing else. */
import { hashOf, idOfSecret, isSame, macOfCheckpoint, macOfHead } from './chain.ts'
import type { TraceCheckpoint, TraceHead, TraceRecord, TraceSecret } from './chain.ts'

/** What is wrong with a chain. */
export type TraceFault =
  /** It was signed with another secret than the one that is given. */
  | 'wrong-secret'
  /** A record is not what was appended. */
  | 'edited'
  /** A record is not there, although later ones are. */
  | 'missing'
  /** A record stands where another belongs. */
  | 'out-of-order'
  /** Records at the end are not there, or the end itself was changed. */
  | 'truncated'
  /** The checkpoint is not the one that a prune has made, so what it says was pruned may have been cut off. */
  | 'checkpoint'
  /** What is stored or written is no record at all. */
  | 'unreadable'

/** What `verify` has found. */
export type TraceVerdict =
  /** All records after `from` are there, through `head.seq`, as they were appended. */
  | { readonly outcome: 'intact'; readonly from: number; readonly head: TraceHead; readonly records: number }
  /** The first record that is not as it should be, and what is wrong with it. */
  | { readonly outcome: 'broken'; readonly seq: number; readonly fault: TraceFault; readonly detail: string }

type Broken = Extract<TraceVerdict, { readonly outcome: 'broken' }>

/** One pass over a chain. */
export class ChainVerifier {
  readonly #secret: TraceSecret
  readonly #chain: string
  #from = 0
  #seq = 0
  #hash = ''

  constructor(secret: TraceSecret, chain: string) {
    this.#secret = secret
    this.#chain = chain
  }

  /** Number of the record that has to come next. */
  get next(): number {
    return this.#seq + 1
  }

  /** Where the chain begins. An empty `secretId` stands for a chain that has not begun. */
  begin(secretId: string, checkpoint: TraceCheckpoint | null): Broken | undefined {
    if (secretId !== '' && !isSame(secretId, idOfSecret(this.#secret))) {
      return broken((checkpoint?.seq ?? 0) + 1, 'wrong-secret', 'the chain was signed with another secret')
    }
    if (checkpoint === null) return undefined
    if (!isSame(checkpoint.mac, macOfCheckpoint(this.#secret, this.#chain, checkpoint))) {
      return broken(checkpoint.seq, 'checkpoint', 'no prune has made this checkpoint')
    }
    this.#from = checkpoint.seq
    this.#seq = checkpoint.seq
    this.#hash = checkpoint.hash
    return undefined
  }

  /** The next record. */
  take(record: TraceRecord): Broken | undefined {
    const { seq, previous, hash } = record
    const expected = this.next
    if (seq !== expected) {
      const fault = seq > expected ? 'missing' : 'out-of-order'
      return broken(expected, fault, `record ${seq} stands where ${expected} belongs`)
    }
    if (!isSame(hash, hashOf(this.#secret, this.#chain, record))) return broken(seq, 'edited', 'its hash does not follow from what it says')
    if (previous !== this.#hash) return broken(seq, 'out-of-order', 'it does not follow the record before it')
    this.#seq = seq
    this.#hash = hash
    return undefined
  }

  /** The end of the chain, and its MAC; empty where nothing was ever appended. */
  end(head: TraceHead, mac: string): TraceVerdict {
    if (head.seq < this.#seq) return broken(head.seq + 1, 'truncated', `the chain says that it ends at ${head.seq}`)
    if (head.seq > this.#seq) return broken(this.next, 'missing', `the chain says that it ends at ${head.seq}`)
    const isUntouched = head.seq === 0 && mac === ''
    const isSigned = isUntouched || isSame(mac, macOfHead(this.#secret, this.#chain, head, this.#from))
    if (head.hash !== this.#hash || !isSigned) return broken(this.next, 'truncated', 'the chain has not ended here')
    return { outcome: 'intact', from: this.#from, head: { seq: head.seq, hash: head.hash }, records: this.#seq - this.#from }
  }
}

/** A verdict that something is wrong. */
export function broken(seq: number, fault: TraceFault, detail: string): Broken {
  return { outcome: 'broken', seq, fault, detail }
}
