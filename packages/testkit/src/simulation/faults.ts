/**
 * Faults: what may strike a run, and where.
 *
 * Each kind strikes at points of one sort, which are counted as a run goes along; a tape names the kind, the number of the
 * point, and an amount that decides whom it meets and how hard.
 */

/** Sorts of points: between two steps, at a commit, at a transition, at the start of a turn, at a client's call, at a message between shards. */
export type PointSort = 'step' | 'commit' | 'transition' | 'turn' | 'call' | 'message'

/** A kind of fault. */
export type FaultKind =
  | 'thread-kill'
  | 'thread-kill-at-commit'
  | 'process-kill'
  | 'process-kill-at-commit'
  | 'torn-write'
  | 'disk-full'
  | 'disk-busy'
  | 'io-error'
  | 'clock-jump'
  | 'stall'
  | 'pause'
  | 'paused-owner'
  | 'slow-consumer'
  | 'poison'
  | 'deaf-turn'
  | 'lost-request'
  | 'lost-reply'
  | 'duplicate-request'
  | 'delayed-request'
  | 'lost-message'
  | 'duplicate-message'
  | 'delayed-message'

const SORTS: Readonly<Record<FaultKind, PointSort>> = {
  /** A shard's thread dies between two of its steps. */
  'thread-kill': 'step',
  /** … or just before, or just after, a commit reaches the disk. */
  'thread-kill-at-commit': 'commit',
  /** The process dies, and is started again: what was synced is there, nothing else. */
  'process-kill': 'step',
  /** … just before, or just after, a commit. */
  'process-kill-at-commit': 'commit',
  /** … while a commit is being written: only a part of it reaches the disk. */
  'torn-write': 'commit',
  /** Some commits of a shard fail because the disk is full. */
  'disk-full': 'commit',
  /** … because somebody else uses the files. */
  'disk-busy': 'commit',
  /** A commit fails with an I/O error: what is on the disk is not known. */
  'io-error': 'commit',
  /** The wall clock is set forwards or backwards, for one shard or for all. */
  'clock-jump': 'step',
  /** Time passes and nobody runs, until the next timer is due. */
  stall: 'step',
  /** A shard's thread stands still for a while. */
  pause: 'step',
  /** A shard's thread stands still for so long that another takes its place; then it goes on. */
  'paused-owner': 'step',
  /** The caller takes what a shard sends only after a while. */
  'slow-consumer': 'step',
  /** A command ends the thread that handles it, each time. */
  poison: 'transition',
  /** A turn does not hear that it is interrupted. */
  'deaf-turn': 'turn',
  /** A client's call never arrives. */
  'lost-request': 'call',
  /** … or its answer does not. */
  'lost-reply': 'call',
  /** A call arrives twice. */
  'duplicate-request': 'call',
  /** A call arrives late, after others that were made later. */
  'delayed-request': 'call',
  /** What one shard sends to another is lost, */
  'lost-message': 'message',
  /** comes twice, */
  'duplicate-message': 'message',
  /** or comes late, after what was sent later. */
  'delayed-message': 'message',
}

/** Every kind of fault. */
export const FAULT_KINDS = Object.keys(SORTS) as readonly FaultKind[] // The keys of the table above.

/** Faults that end threads and processes and nothing else. */
export const CRASHES: readonly FaultKind[] = [
  'thread-kill',
  'thread-kill-at-commit',
  'process-kill',
  'process-kill-at-commit',
  'torn-write',
]

/** Which faults may strike: all, those that end threads and processes, none, or those that are named. */
export type FaultChoice = 'all' | 'crashes' | 'none' | readonly FaultKind[]

/** Whether something is the name of a kind of fault. */
export function isFaultKind(name: unknown): name is FaultKind {
  return typeof name === 'string' && Object.hasOwn(SORTS, name)
}

/** At which sort of points a kind strikes. */
export function sortOf(kind: FaultKind): PointSort {
  return SORTS[kind]
}

/** The kinds that a choice stands for. */
export function kindsOf(choice: FaultChoice): readonly FaultKind[] {
  if (choice === 'all') return FAULT_KINDS
  if (choice === 'crashes') return CRASHES
  return choice === 'none' ? [] : choice
}
