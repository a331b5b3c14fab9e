/**
 * `defineActor`: one object that says what an actor is, and the types that follow from it.
 *
 * A definition is plain data and functions. It starts nothing, and it is the same object in the calling thread, where
 * inputs are validated, and in the shard's thread, where the logic runs; the shard finds it through `module`.
 */
import type { TimerRestart } from '@bailiwick/store'
import type { AnyActorLogic, EventFromLogic, InputFrom, SnapshotFrom } from 'xstate'
import { InvalidDefinition } from '../errors.ts'
import { PRIORITIES } from '../shard/lanes.ts'
import type { CommandBuilder, CommandDefinition, CommandKind } from './command.ts'
import { DELAY_MAX } from './input.ts'
import type { ActorKey } from './key.ts'
import { requireOptions } from './option-names.ts'
import { supervisionOf } from './supervision.ts'
import type { Supervision, SupervisionOptions } from './supervision.ts'
import type { TurnDefinition } from './turn-definition.ts'

/** Bounds of an actor's mailbox. */
export interface MailboxOptions {
  /** How many commands may wait for one actor, over all lanes; more are answered with `MailboxFull`. Default 10,000. */
  readonly capacity?: number
  /** After at most so many more urgent commands a waiting less urgent one is served. Default 64. */
  readonly starvationBound?: number
}

/** How a journaled actor keeps its events. */
export interface JournalOptions {
  /** A snapshot is written every so many events; recovery replays at most as many. Default 100. */
  readonly snapshotEvery?: number
  /** How many events before the latest snapshot are kept for inspection. Default 0: none. */
  readonly keepEvents?: number
}

/** How the turns of an actor get along. */
export interface TurnsOptions {
  /**
   * Names of ranks, the highest first. With them, every turn says which one is its own, and a command preempts only turns of
   * a lower rank. Without them the priority with which a command was sent is its rank.
   */
  readonly ranks?: readonly string[]
  /** After so many turns in a row that went before a parked one, that one is resumed, whatever waits. Default: no bound. */
  readonly maxBurst?: number
  /** A turn that was started or resumed is not signalled for so long, in milliseconds, unless it is dropped for good. Default 0. */
  readonly minSliceMs?: number
  /** How many turns are kept for inspection once they have ended. Default 100. */
  readonly keep?: number
}

/** What a definition may say; `commands` and `logic` decide the types of every ref. */
export interface ActorOptions<Type extends string, Logic extends AnyActorLogic, Commands> {
  /** Name of the kind of actor, for instance `account`. Part of every stored row: it must stay the same for ever. */
  readonly type: Type
  /**
   * Name under which actors of this type are stored, if it is another than `type`. A type that is renamed keeps its actors
   * by being stored as before. Default: `type`.
   */
  readonly storedAs?: string
  /** URL of the module that exports this definition: `import.meta.url`. Shard threads import it. */
  readonly module: string
  /** Any XState v5 actor logic: a machine, `fromTransition`, … It must be pure: what it wants to do, it does through actions. */
  readonly logic: Logic
  /** The commands and queries that the actor takes, by name. A command's name is the type of the event that the logic gets. */
  readonly commands: Commands
  /** XState input for the first activation of a key. Runs once per actor; a throw makes the activation fail. */
  readonly input?: (args: { readonly key: ActorKey }) => InputFrom<Logic>
  readonly mailbox?: MailboxOptions
  readonly turns?: TurnsOptions
  /** What happens when an actor fails. Default: what the system was opened with, or a restart after every failure, without a limit. */
  readonly supervision?: SupervisionOptions
  /**
   * What a restart of the shard does to the actor's timers, `after` and delayed `raise` included: keep their `deadline`,
   * go on with the time that was `remaining` at the shard's last commit, or `restart` their delay. Default `deadline`.
   */
  readonly timers?: TimerRestart
  /** An actor idle for so long leaves memory; its state stays in the store. Default 60,000. */
  readonly idleMs?: number
  /** Version of the logic, stored with each snapshot; a whole number from 1. Default 1. */
  readonly version?: number
  /** For each older version N the function that turns a snapshot of version N into one of version N+1. */
  readonly migrate?: Readonly<Record<number, (snapshot: unknown) => unknown>>
  /** `snapshot`: state is written once per batch. `journal`: events are appended and a snapshot is written now and then. Default `snapshot`. */
  readonly persist?: 'snapshot' | 'journal'
  /** Only with `persist: 'journal'`. */
  readonly journal?: JournalOptions
  /** True for actors that live in memory only: faster, and gone when idle, closed or crashed. Default false. */
  readonly volatile?: boolean
}

/** The commands of a definition, for the constraint of `defineActor`. */
// `any` in the input positions is the top type of a contravariant place; the snapshot stays exact, which types `reply`.
// oxlint-disable-next-line typescript/no-explicit-any
export type CommandBuilders<Snapshot> = Readonly<Record<string, CommandBuilder<CommandKind, any, any, unknown, Snapshot>>>

/** Makes a command whose event the logic does not know fail to compile, with a sentence that says so. */
export type CheckedCommands<Logic extends AnyActorLogic, Commands> = {
  readonly [Name in keyof Commands]: Commands[Name] extends CommandBuilder<
    infer Kind,
    infer _Given,
    infer Input,
    infer _Reply,
    infer _Snapshot
  >
    ? Kind extends 'query' | 'turn'
      ? unknown
      : { readonly type: Name } & Input extends EventFromLogic<Logic>
        ? unknown
        : { readonly 'the logic does not take this event': Name }
    : unknown
}

/** A definition after its checks, with every default filled in. `commands` is by name; `Commands` keeps the types. */
export interface ActorDefinition<Type extends string = string, Snapshot = unknown, Commands = unknown> {
  readonly type: Type
  readonly storedAs: string
  readonly module: string
  readonly logic: AnyActorLogic
  readonly commands: ReadonlyMap<string, AnyCommand>
  readonly input: ((args: { readonly key: ActorKey }) => unknown) | undefined
  readonly mailbox: Required<MailboxOptions>
  readonly turns: Required<TurnsOptions>
  /** Undefined where the system's own counts. */
  readonly supervision: Supervision | undefined
  readonly timers: TimerRestart
  readonly idleMs: number
  readonly version: number
  readonly migrate: Readonly<Record<number, (snapshot: unknown) => unknown>>
  readonly persist: 'snapshot' | 'journal' | 'nothing'
  readonly journal: Required<JournalOptions>
  /** Carries types only; never present. */
  readonly types?: { readonly snapshot: Snapshot; readonly commands: Commands }
}

/** A command whose types have been forgotten: what the kernel works with. */
// oxlint-disable-next-line typescript/no-explicit-any -- the reply's argument is contravariant; the kernel only ever passes what it validated.
export type AnyCommand = CommandDefinition<CommandKind, any, any, unknown, any>

const OPTIONS: ReadonlySet<string> = new Set([
  'type',
  'storedAs',
  'module',
  'logic',
  'commands',
  'input',
  'mailbox',
  'turns',
  'supervision',
  'timers',
  'idleMs',
  'version',
  'migrate',
  'persist',
  'journal',
  'volatile',
])
const MAILBOX_OPTIONS: ReadonlySet<string> = new Set(['capacity', 'starvationBound'])
const JOURNAL_OPTIONS: ReadonlySet<string> = new Set(['snapshotEvery', 'keepEvents'])
const TIMER_RESTARTS: ReadonlySet<string> = new Set(['deadline', 'remaining', 'restart'])
const PREEMPTS: ReadonlySet<string> = new Set(['steal', 'abort-keep', 'abort-drop', 'none'])
const TURNS_OPTIONS: ReadonlySet<string> = new Set(['ranks', 'maxBurst', 'minSliceMs', 'keep'])
const TURN_EVENTS = ['started', 'parked', 'resumed', 'done', 'cancelled', 'failed']
const PLACEMENTS: ReadonlySet<string> = new Set(['shard', 'pool', 'process'])
const PERSISTENCES: ReadonlySet<string> = new Set(['snapshot', 'journal'])

/** Marks definitions, so that a shard can find them among the exports of a module, also across copies of this package. */
const DEFINITION = Symbol.for('bailiwick.actor-definition')

/** Whether a value was made by `defineActor`. */
export function isActorDefinition(value: unknown): value is ActorDefinition {
  return typeof value === 'object' && value !== null && DEFINITION in value
}

/**
 * Defines an actor. Checks the whole definition and fills in the defaults.
 * Throws `InvalidDefinition`, naming the field.
 */
export function defineActor<
  const Type extends string,
  Logic extends AnyActorLogic,
  const Commands extends CommandBuilders<SnapshotFrom<Logic>>,
>(options: ActorOptions<Type, Logic, Commands & CheckedCommands<Logic, Commands>>): ActorDefinition<Type, SnapshotFrom<Logic>, Commands> {
  const { type } = options
  check(type, isName(type), 'type', 'must be a name: a letter, then letters, digits, "_", "." or "-", at most 100')
  requireOptions(type, '', options, OPTIONS)
  check(type, isModuleUrl(options.module), 'module', 'must be the URL of a module: write `module: import.meta.url`')
  check(type, isActorLogic(options.logic), 'logic', 'must be an XState v5 actor logic, for instance a machine')
  const storedAs = options.storedAs ?? type
  check(type, isName(storedAs), 'storedAs', 'must be a name like `type`')
  const isVolatile = options.volatile ?? false
  const persist = options.persist ?? 'snapshot'
  check(type, PERSISTENCES.has(persist), 'persist', 'must be "snapshot" or "journal"')
  check(type, !(isVolatile && options.persist !== undefined), 'persist', 'has no meaning for a volatile actor')
  check(type, options.journal === undefined || persist === 'journal', 'journal', 'needs persist: "journal"')
  const { mailbox = {}, journal = {}, turns: turnsGiven = {}, migrate = {} } = options
  requireOptions(type, 'mailbox', mailbox, MAILBOX_OPTIONS)
  requireOptions(type, 'journal', journal, JOURNAL_OPTIONS)
  const supervision = options.supervision === undefined ? undefined : supervisionOf(type, 'supervision', options.supervision)
  check(
    type,
    !(isVolatile && supervision?.group !== undefined),
    'supervision.group',
    'has no meaning for a volatile actor: it is not restarted',
  )
  const version = wholeNumber(type, 'version', options.version ?? 1, 1)
  const turns = turnsOf(type, turnsGiven)
  const timers = options.timers ?? 'deadline'
  check(type, TIMER_RESTARTS.has(timers), 'timers', 'must be "deadline", "remaining" or "restart"')
  const definition: ActorDefinition<Type, SnapshotFrom<Logic>, Commands> & { readonly [DEFINITION]: true } = {
    [DEFINITION]: true,
    type,
    storedAs,
    module: options.module,
    logic: options.logic,
    turns,
    supervision,
    commands: commandsOf(type, options.commands, isVolatile, turns.ranks),
    input: options.input,
    mailbox: {
      capacity: wholeNumber(type, 'mailbox.capacity', mailbox.capacity ?? 10_000, 1),
      starvationBound: wholeNumber(type, 'mailbox.starvationBound', mailbox.starvationBound ?? 64, 1),
    },
    timers,
    idleMs: wholeNumber(type, 'idleMs', options.idleMs ?? 60_000, 0),
    version,
    migrate: migrationsOf(type, version, migrate),
    persist: isVolatile ? 'nothing' : persist,
    journal: {
      snapshotEvery: wholeNumber(type, 'journal.snapshotEvery', journal.snapshotEvery ?? 100, 1),
      keepEvents: wholeNumber(type, 'journal.keepEvents', journal.keepEvents ?? 0, 0),
    },
  }
  return Object.freeze(definition)
}

/** What of a definition must be the same in every thread: everything that can be compared. */
export function fingerprintOf(definition: ActorDefinition): string {
  const commands = [...definition.commands.values()].map((entry) => [
    entry.name,
    entry.kind,
    entry.priority,
    entry.reply === 'deferred' ? entry.replyWithinMs : entry.reply !== undefined,
    ...(entry.turn === undefined ? [] : [entry.replyWithinMs, { ...entry.turn, when: entry.turn.when !== undefined, frame: undefined }]),
    ...(entry.preempt === 'none' ? [] : [entry.preempt]),
    ...(entry.rank === undefined ? [] : [entry.rank]),
    ...(entry.isStamped ? ['stamped'] : []),
  ])
  const { type, storedAs, mailbox, turns, supervision, timers, idleMs, version, persist, journal } = definition
  return JSON.stringify({ type, storedAs, commands, mailbox, turns, supervision, timers, idleMs, version, persist, journal })
}

function check(definition: string, holds: boolean, field: string, detail: string): void {
  if (!holds) throw new InvalidDefinition(definition, field, detail)
}

/** Checks a whole number with a lower bound; used for every numeric setting. */
function wholeNumber(definition: string, field: string, value: number, min: number): number {
  check(definition, Number.isSafeInteger(value) && value >= min, field, `must be a whole number from ${min}, is ${String(value)}`)
  return value
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && /^[A-Za-z][\w.-]{0,99}$/.test(value)
}

function isDuration(value: unknown, min: number): boolean {
  return typeof value === 'number' && value >= min && value <= DELAY_MAX
}

/** Whether an object schema names a property that a stamp would overwrite. */
function hasOwnAt(schema: unknown): boolean {
  if (typeof schema !== 'object' || schema === null || !('shape' in schema)) return false
  const { shape } = schema
  return typeof shape === 'object' && shape !== null && 'at' in shape
}

function isSchema(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'safeParse' in value && typeof value.safeParse === 'function'
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function isModuleUrl(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value)
}

function isActorLogic(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    'transition' in value &&
    'getInitialSnapshot' in value &&
    'getPersistedSnapshot' in value &&
    typeof value.transition === 'function'
  )
}

function commandsOf(
  type: string,
  builders: Readonly<Record<string, (name: string) => AnyCommand>>,
  isVolatile: boolean,
  ranks: readonly string[],
): ReadonlyMap<string, AnyCommand> {
  check(type, isObject(builders), 'commands', 'must be an object of command(), query() and turn()')
  const commands = new Map<string, AnyCommand>()
  for (const [name, builder] of Object.entries(builders)) {
    check(type, typeof builder === 'function', `commands.${name}`, 'must be made by command(), query() or turn()')
    check(
      type,
      name !== '' && name !== 'then' && !name.startsWith('xstate.') && !name.startsWith('bailiwick.'),
      `commands.${name}`,
      'is a name that cannot be a command',
    )
    const definition = builder(name)
    check(type, PRIORITIES.includes(definition.priority), `commands.${name}.priority`, `must be one of ${PRIORITIES.join(', ')}`)
    check(type, definition.input === undefined || isSchema(definition.input), `commands.${name}.input`, 'must be a zod schema')
    const { reply, replyWithinMs, output } = definition
    check(
      type,
      !definition.isStamped || !hasOwnAt(definition.input),
      `commands.${name}.input`,
      'has an "at" of its own and cannot be stamped',
    )
    check(type, definition.turn === undefined || !definition.isStamped, `commands.${name}.input`, 'of a turn cannot be stamped')
    check(type, output === undefined || isSchema(output), `commands.${name}.output`, 'must be a zod schema')
    check(
      type,
      reply === undefined || reply === 'deferred' || typeof reply === 'function',
      `commands.${name}.reply`,
      'must be a function or "deferred"',
    )
    check(
      type,
      isDuration(replyWithinMs, Number.MIN_VALUE),
      `commands.${name}.${definition.turn === undefined ? 'replyWithinMs' : 'endWithinMs'}`,
      'must be a positive number',
    )
    checkPreemption(type, definition, isVolatile, ranks)
    if (definition.turn !== undefined) checkTurn(type, name, definition.turn)
    commands.set(name, definition)
  }
  check(type, commands.size > 0, 'commands', 'must name at least one command')
  for (const [name, { turn }] of commands) {
    if (turn === undefined) continue
    const forged = TURN_EVENTS.find((event) => commands.has(`${name}.${event}`))
    check(type, forged === undefined, `commands.${name}.${forged ?? ''}`, `is the name of an event of the turn "${name}"`)
  }
  return commands
}

function checkPreemption(type: string, { name, kind, preempt, rank }: AnyCommand, isVolatile: boolean, ranks: readonly string[]): void {
  const field = (option: string): string => `commands.${name}.${option}`
  check(type, PREEMPTS.has(preempt), field('preempt'), 'must be "steal", "abort-keep", "abort-drop" or "none"')
  check(
    type,
    !isVolatile || (kind !== 'turn' && preempt === 'none'),
    `commands.${name}`,
    'has no meaning for a volatile actor: turns are kept',
  )
  check(type, rank === undefined || ranks.includes(rank), field('rank'), 'must be one of turns.ranks')
  const isRanked = kind === 'turn' || preempt !== 'none'
  check(type, ranks.length === 0 || !isRanked || rank !== undefined, field('rank'), 'must be given, because the definition has turns.ranks')
}

function checkTurn(type: string, command: string, turn: TurnDefinition): void {
  const field = (name: string): string => `commands.${command}.${name}`
  check(type, typeof turn.run === 'function', field('run'), 'must be a function')
  check(type, turn.when === undefined || typeof turn.when === 'function', field('when'), 'must be a function')
  check(type, turn.frame === undefined || isSchema(turn.frame), field('frame'), 'must be a zod schema')
  check(type, PLACEMENTS.has(turn.on), field('on'), 'must be "shard", "pool" or "process"')
  check(type, typeof turn.preemptible === 'boolean', field('preemptible'), 'must be true or false')
  check(type, isDuration(turn.drainMs, 0), field('drainMs'), `must be a number from 0 to ${DELAY_MAX}`)
  for (const name of ['timeoutMs', 'silentMs'] as const)
    check(type, isDuration(turn[name], Number.MIN_VALUE), field(name), `must be a positive number, at most ${DELAY_MAX}`)
  wholeNumber(type, field('maxAttempts'), turn.maxAttempts, 1)
}

function turnsOf(type: string, options: TurnsOptions): Required<TurnsOptions> {
  requireOptions(type, 'turns', options, TURNS_OPTIONS)
  const { ranks = [], maxBurst, minSliceMs = 0, keep = 100 } = options
  check(type, Array.isArray(ranks) && ranks.every(isName), 'turns.ranks', 'must be a list of names')
  check(type, new Set(ranks).size === ranks.length, 'turns.ranks', 'must not name a rank twice')
  check(type, isDuration(minSliceMs, 0), 'turns.minSliceMs', `must be a number from 0 to ${DELAY_MAX}`)
  return {
    ranks,
    maxBurst: maxBurst === undefined ? Number.MAX_SAFE_INTEGER : wholeNumber(type, 'turns.maxBurst', maxBurst, 1),
    minSliceMs,
    keep: wholeNumber(type, 'turns.keep', keep, 0),
  }
}

function migrationsOf(
  type: string,
  version: number,
  migrate: Readonly<Record<number, (snapshot: unknown) => unknown>>,
): Readonly<Record<number, (snapshot: unknown) => unknown>> {
  check(type, isObject(migrate) && !Array.isArray(migrate), 'migrate', 'must be an object')
  for (const [from, migration] of Object.entries(migrate)) {
    check(type, /^[1-9]\d*$/.test(from), `migrate.${from}`, 'must be keyed by the version it leads from')
    check(type, Number(from) < version, `migrate.${from}`, `leads beyond the version of the definition, which is ${version}`)
    check(type, typeof migration === 'function', `migrate.${from}`, 'must be a function')
  }
  // A gap would show only when an old actor comes into memory. The oldest versions may be left out: nothing of them need be stored.
  const first = Math.min(version, ...Object.keys(migrate).map(Number))
  for (let from = first; from < version; from += 1)
    check(type, Object.hasOwn(migrate, from), `migrate.${from}`, `is missing: version ${first} has no way to version ${version}`)
  return migrate
}
