/** The public surface of `@bailiwick/kernel`. */
// oxlint-disable-next-line import/no-unassigned-import -- it refuses an old Node.js before anything else is loaded.
import './node-version.ts'

// Core
export { openSystem } from './system/open-system.ts'
export { defineActor } from './definition/define-actor.ts'
export { command, query } from './definition/command.ts'
export { stamped } from './definition/stamped.ts'
export type { Stamp } from './definition/stamped.ts'
export { turn } from './definition/turn.ts'
export { defineEffect } from './definition/define-effect.ts'

// The event stream
export { TAP_EVENTS } from './system/tap-kinds.ts'
export { TAP_VERSION } from './protocol/tap.ts'
export type { TapPattern } from './system/tap-kinds.ts'
export type { TapEventsOptions, TapListener, TapOptions } from './system/tap.ts'
export type {
  ActorHeld,
  ActorMoved,
  ActorRestarted,
  BatchCommitted,
  BatchFailed,
  CommandHandled,
  EffectMoved,
  EventHandled,
  EventsLost,
  LateResultKept,
  LeaseMoved,
  LetterKept,
  ShardMoved,
  ShardTapEvent,
  TapError,
  TapEvent,
  TapFrame,
  TapKind,
  TimerMoved,
  TurnMoved,
  TurnProgress,
} from './protocol/tap.ts'

// Actions and children of an actor's machine
export { asking } from './hosting/asking.ts'
export {
  cancelEffect,
  cancelTimer,
  cancelTurn,
  effect,
  fail,
  postpone,
  reply,
  request,
  setTimer,
  tell,
  unwatch,
  watch,
} from './hosting/actions.ts'

// Reading a directory from outside, for tools
export { encodeKey } from './definition/key.ts'
export { decodeFault } from './shard/fault.ts'
export { decodeLane, decodeLease, decodeOpenCall, decodeParcel, decodeTimerName, decodeTurn } from './shard/stored-texts.ts'

// Types of what they answer
export type { System } from './system/system.ts'
export type { CloseOptions, CloseReport } from './system/closing.ts'
export type { AnyEffectDefinition, OpenSystemOptions, SystemLimits, SystemSupervision } from './system/open-options.ts'
export type { BatchStats, LaneStats, ShardStats, SystemStats } from './system/stats.ts'
export type { HealthReason, SystemHealth } from './system/health.ts'
export type { HeldActor, HeldFilter, HoldOptions, Quarantine } from './system/holds.ts'
export type { CompactOptions } from './system/backup.ts'
export type { BackupReport, Finding, FindingLevel, VerifyOptions } from '@bailiwick/store'
export type { LogMethod, Logger } from './system/logger.ts'
export type { EndSignal } from './seams/seams.ts'
export type { ThreadState } from './system/threads.ts'
export type {
  ActorRef,
  ActorSnapshot,
  AskMethods,
  CallArguments,
  CancelTurnOptions,
  ListOptions,
  ReadOptions,
  RefOf,
  TellMethods,
  TellReceipt,
  TimerView,
} from './system/ref.ts'
export type { AskOptions, CallOptions, TellOptions } from './system/call.ts'
export type { AcquireOptions, Lease, LeaseRef, LeaseState } from './system/lease.ts'
export type { LateResultView, TurnView } from './shard/turn-view.ts'
export type { Stretch, TurnState } from './shard/session.ts'
export type { DeadLetter, DeadLetterChoice, DeadLetterFilter, DeadLetters } from './system/dead-letters.ts'

// Types of definitions
export type {
  ActorDefinition,
  ActorOptions,
  CheckedCommands,
  CommandBuilders,
  JournalOptions,
  MailboxOptions,
  TurnsOptions,
} from './definition/define-actor.ts'
export type {
  CommandBuilder,
  CommandDefinition,
  CommandKind,
  CommandOptions,
  DeferredOptions,
  InputOptions,
  LaneOptions,
  NoInput,
  ReplyArguments,
  ReplyFunction,
  ReplyOptions,
} from './definition/command.ts'
export type {
  EffectAttempt,
  EffectDefinition,
  EffectProcesses,
  EffectOptions as EffectDefinitionOptions,
  ProbeResult,
  RetryOptions,
} from './definition/define-effect.ts'
export type { TurnError, TurnOptions, TurnOutcome } from './definition/turn.ts'
export type { TurnDefinition, TurnPlacement } from './definition/turn-definition.ts'
export type { AnyTurnContext, Interruption, Preempt, PreemptMode, TurnCause, TurnContext } from './definition/turn-context.ts'
export type {
  ExitReason,
  JsonValue,
  ProcessApi,
  ProcessLimits,
  ProcessResult,
  ProcessSpec,
  SessionProcess,
  SessionSpec,
  SpawnedProcess,
  StreamResult,
} from './definition/process.ts'
export type { BackoffOptions } from './definition/backoff.ts'
export type { GroupOptions, Supervision, SupervisionOptions, ThreadSupervisionOptions } from './definition/supervision.ts'
export type { ActorKey } from './definition/key.ts'
export type { Priority } from './shard/lanes.ts'

// Types of actions and children
export type { AskingInput, CommandReply } from './hosting/asking.ts'
export type {
  CancelTurnArguments,
  CommandInput,
  CommandName,
  EffectOptions,
  FailArguments,
  Given,
  Plain,
  ReplyOptions as ReplyActionOptions,
  RequestArguments,
  TellArguments,
  TellName,
  TimerArguments,
  WatchArguments,
} from './hosting/actions.ts'

// Outcomes and errors
export { OUTCOMES, outcomeOf } from './outcomes.ts'
export type { Outcome } from './outcomes.ts'
export {
  ActivationFailed,
  ActorQuarantined,
  ActorStopped,
  AskAborted,
  AskCycle,
  AskTimeout,
  CommandFailed,
  CommandInProgress,
  CommandRejected,
  DefinitionNotLoaded,
  EffectTimeout,
  IdempotencyConflict,
  InvalidDefinition,
  InvalidInput,
  MailboxFull,
  NoMigration,
  NotSerializable,
  ProcessLost,
  ReplyOverdue,
  ShardCrashed,
  SlowConsumer,
  StaleEpoch,
  SystemClosed,
  TurnEmpty,
  TurnTimeout,
  UnknownCommand,
} from './errors.ts'
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
} from '@bailiwick/store'
