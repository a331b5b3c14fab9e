/** The state of a chain's own actor, as plain arithmetic: where the chain ends, where it was pruned, and the records since the last full segment. */
import { hashOf, idOfSecret, isSame, macOfCheckpoint, macOfHead } from './chain.ts'
import type { TraceCheckpoint, TraceRecord, TraceSecret } from './chain.ts'

/** The state of the actor. */
export interface ChainState {
  /** The actor's key. */
  readonly chain: string
  /** How many records a segment has: fixed when the chain begins. */
  readonly segmentRecords: number
  /** Which secret the chain was begun with; empty before its first record. */
  readonly secretId: string
  readonly seq: number
  readonly hash: string
  /** MAC of the end; empty before the first record. */
  readonly mac: string
  readonly checkpoint: TraceCheckpoint | null
  /** The records of the last segment, which is not full. */
  readonly open: readonly TraceRecord[]
}

/** A segment that is full, or of which something is pruned. */
export interface SegmentChange {
  readonly segment: number
  readonly records?: readonly TraceRecord[]
  readonly through?: number
}

/** A chain without records. */
export function emptyChain(chain: string): ChainState {
  return { chain, segmentRecords: 0, secretId: '', seq: 0, hash: '', mac: '', checkpoint: null, open: [] }
}

/**
 * Whether a state may be signed on: it was signed with this secret, or is new. Otherwise the next signature would make a chain whole
 * that somebody has cut.
 */
export function isSound({ chain, secretId, seq, hash, mac, checkpoint }: ChainState, secret: TraceSecret): boolean {
  if (seq === 0) return hash === '' && mac === '' && checkpoint === null
  return secretId === idOfSecret(secret) && isSame(mac, macOfHead(secret, chain, { seq, hash }, checkpoint?.seq ?? 0))
}

/** Number of the segment that a record belongs to, from 0. */
export function segmentOf(seq: number, segmentRecords: number): number {
  return Math.floor((seq - 1) / segmentRecords)
}

/** Number of the first record of a segment. */
export function firstOf(segment: number, segmentRecords: number): number {
  return segment * segmentRecords + 1
}

/** Appends a record; where its segment is full now, it leaves the state. */
export function append(
  state: ChainState,
  { text, at }: { readonly text: string; readonly at: number },
  secret: TraceSecret,
  segmentRecordsOfRules: number,
): { readonly state: ChainState; readonly full: SegmentChange | undefined } {
  const { chain, checkpoint } = state
  const segmentRecords = state.segmentRecords === 0 ? segmentRecordsOfRules : state.segmentRecords
  const content = { seq: state.seq + 1, at, previous: state.hash, text }
  const record: TraceRecord = { ...content, hash: hashOf(secret, chain, content) }
  const { seq, hash } = record
  const records = [...state.open, record]
  const isFull = seq % segmentRecords === 0
  return {
    state: {
      chain,
      segmentRecords,
      secretId: idOfSecret(secret),
      seq,
      hash,
      mac: macOfHead(secret, chain, { seq, hash }, checkpoint?.seq ?? 0),
      checkpoint,
      open: isFull ? [] : records,
    },
    full: isFull ? { segment: segmentOf(seq, segmentRecords), records } : undefined,
  }
}

/** How many segments one prune touches: it is one commit, and one message for each. */
export const PRUNED_SEGMENTS_MAX = 256

/** How far one prune can go, if it is to end at `through`. */
export function reachOf(state: Pick<ChainState, 'checkpoint' | 'segmentRecords' | 'seq'>, through: number): number {
  if (state.segmentRecords === 0) return 0
  const first = segmentOf((state.checkpoint?.seq ?? 0) + 1, state.segmentRecords)
  return Math.min(through, state.seq, firstOf(first + PRUNED_SEGMENTS_MAX, state.segmentRecords) - 1)
}

/**
 * Prunes a chain through a record, which is given as proof: its hash has to follow from what it says. Undefined where it does
 * not, or where it is not one of the records that can be pruned now.
 */
export function prune(
  state: ChainState,
  { last, at }: { readonly last: TraceRecord; readonly at: number },
  secret: TraceSecret,
): { readonly state: ChainState; readonly cut: readonly SegmentChange[] } | undefined {
  const { chain, segmentRecords } = state
  const before = state.checkpoint?.seq ?? 0
  const { seq, hash } = last
  if (seq <= before || reachOf(state, seq) !== seq || !isSame(hash, hashOf(secret, chain, last))) return undefined
  const content = { seq, hash, at }
  const checkpoint: TraceCheckpoint = { ...content, mac: macOfCheckpoint(secret, chain, content) }
  const open = state.open.filter((record) => record.seq > seq)
  const mac = macOfHead(secret, chain, { seq: state.seq, hash: state.hash }, seq)
  const cut: SegmentChange[] = []
  // The open segment is in the state itself.
  const end = Math.min(segmentOf(seq, segmentRecords), segmentOf(state.seq + 1, segmentRecords) - 1)
  for (let segment = segmentOf(before + 1, segmentRecords); segment <= end; segment += 1) cut.push({ segment, through: seq })
  return { state: { ...state, checkpoint, mac, open }, cut }
}
