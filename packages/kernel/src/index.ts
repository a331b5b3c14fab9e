/** The public surface of `@bailiwick/kernel`. */
// oxlint-disable-next-line import/no-unassigned-import -- it refuses an old Node.js before anything else is loaded.
import './node-version.ts'

// Core
export { openSystem } from './system/open-system.ts'
export { defineActor } from './definition/define-actor.ts'
export { command, query } from './definition/command.ts'

// Types of what they answer
export type { System, CloseOptions, CloseReport } from './system/system.ts'
export type { OpenSystemOptions, SystemLimits } from './system/open-system.ts'
export type { LaneStats, SystemStats } from './system/stats.ts'
export type { ActorRef, ActorSnapshot, AskMethods, CallArguments, RefOf, TellMethods } from './system/ref.ts'
export type { CallOptions } from './system/call.ts'

// Types of definitions
export type {
  ActorDefinition,
  ActorOptions,
  CheckedCommands,
  CommandBuilders,
  JournalOptions,
  MailboxOptions,
} from './definition/define-actor.ts'
export type {
  CommandBuilder,
  CommandDefinition,
  CommandKind,
  CommandOptions,
  InputOptions,
  NoInput,
  ReplyArguments,
  ReplyFunction,
  ReplyOptions,
} from './definition/command.ts'
export type { ActorKey } from './definition/key.ts'
export type { Priority } from './shard/lanes.ts'

// Errors
export {
  ActivationFailed,
  AskAborted,
  AskTimeout,
  CommandFailed,
  CommandRejected,
  DefinitionNotLoaded,
  IdempotencyConflict,
  InvalidDefinition,
  InvalidInput,
  MailboxFull,
  NoMigration,
  NotSerializable,
  ShardCrashed,
  SlowConsumer,
  SystemClosed,
} from './errors.ts'
export {
  BailiwickError,
  BatchInvalid,
  DirectoryInUse,
  DirectoryMissing,
  DirectoryNotOurs,
  DirectoryNotWritable,
  Fenced,
  SchemaTooNew,
  StoreDamaged,
  StoreUnavailable,
} from '@bailiwick/store'
