/**
 * The public surface of `@bailiwick/store`. The store is a seam of the kernel: programs use it through
 * `@bailiwick/kernel`, and only the kernel and tests import it.
 */

// The interface
export type {
  Answer,
  Batch,
  CommitReport,
  ImmediateShardStore,
  Recovery,
  ShardLocation,
  ShardStore,
  StoreDirectory,
  Synchronous,
} from './store.ts'

// Rows
export type {
  ActorChanged,
  ActorCreated,
  DeadLetter,
  DeadLetterFilter,
  DueEffect,
  DueTimer,
  Effect,
  EffectCancelled,
  EffectDelayed,
  FaultChanged,
  FrameSaved,
  InboxChange,
  InboxCommand,
  JournalEntry,
  JournalTrim,
  LateResult,
  LeaseChanged,
  Link,
  LinkMark,
  OpenCall,
  OutboxMessage,
  OutcomeRecorded,
  OwnedProcess,
  StoredActor,
  StoredFault,
  StoredLease,
  StoredOpenCall,
  StoredOutcome,
  StoredTurn,
  TimerCleared,
  TimerRestart,
  TimerSet,
  TurnChanged,
  TurnsKept,
} from './store.ts'

// Errors
export {
  BailiwickError,
  BatchInvalid,
  DirectoryInUse,
  DirectoryMissing,
  DirectoryNotEmpty,
  DirectoryNotOurs,
  DirectoryNotWritable,
  Fenced,
  SchemaTooNew,
  StoreDamaged,
  StoreUnavailable,
} from './errors.ts'
export type { ErrorField, StoreFault } from './errors.ts'

// SQLite
export { openDirectory } from './sqlite/directory.ts'
export type { DirectoryOptions, OwnedDirectory } from './sqlite/directory.ts'
export { openShard } from './sqlite/shard.ts'
export type { ShardOptions } from './sqlite/shard.ts'

// Looking after a directory
export type {
  ActorDetail,
  ActorRow,
  BackupOptions,
  BackupProgress,
  BackupReport,
  DeadLetterRow,
  DirectoryReader,
  FaultRow,
  Finding,
  FindingLevel,
  InboxRow,
  OwnerView,
  PromiseFilter,
  PromiseRow,
  RepairReport,
  RowFilter,
  ShardSummary,
  TimerRow,
  VerifyOptions,
} from './maintenance.ts'
export { openReader } from './sqlite/reader.ts'
export { verifyDirectory } from './sqlite/verify.ts'
export { backupDirectory } from './sqlite/backup.ts'
export { repairDirectory } from './sqlite/repair.ts'
export type { RepairOptions } from './sqlite/repair.ts'

// Memory
export { createMemoryDisk } from './memory/disk.ts'
export type { MemoryDisk, MemoryDiskOptions } from './memory/disk.ts'
export { openMemoryDirectory } from './memory/directory.ts'
export type { MemoryDirectoryOptions, OwnedMemoryDirectory } from './memory/directory.ts'
export { openMemoryShard } from './memory/shard.ts'
