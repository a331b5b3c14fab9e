/**
 * The seams of the kernel, for test kits. Programs import `@bailiwick/kernel` and never this.
 */

// Assembly
export { openSystemOn } from '../system/open-system.ts'
export { startInlineThread } from './inline-thread.ts'
export type { InlineSeams, InlineThread } from './inline-thread.ts'
export { nodeChildren } from './node-children.ts'
export { nodeSeams } from './node-seams.ts'
export { nodeTurnPlaces } from './node-turn-places.ts'

// The seams
export type {
  Child,
  ChildEvents,
  ChildNotes,
  Children,
  ChildSpec,
  Clock,
  DirectoryOptions,
  Scheduler,
  Seams,
  ShardThread,
  Stores,
  SystemDirectory,
  ThreadPlan,
  Timer,
  Transport,
  TurnPlace,
  TurnPlaces,
} from './seams.ts'

// Parts with a specification of their own
export { Mailbox } from '../shard/mailbox.ts'
export type { MailboxBounds } from '../shard/mailbox.ts'
export { Gauge } from '../shard/gauges.ts'
export { LANES } from '../shard/lanes.ts'
export { ToShard } from '../protocol/to-shard.ts'
export type { Lane } from '../shard/lanes.ts'
