/**
 * Refs: the typed handles through which actors are reached.
 *
 * A ref holds no state and activates nothing. Its `ask` and `tell` have one method per command, made once per
 * definition and shared by all refs of it.
 */
import type { CommandBuilder, CommandKind } from '../definition/command.ts'
import type { ActorDefinition, AnyCommand } from '../definition/define-actor.ts'
import { addressOf } from '../definition/key.ts'
import type { ActorKey } from '../definition/key.ts'
import { checkName, checkOptionNames, checkSignal } from '../definition/input.ts'
import type { PreemptMode } from '../definition/turn-context.ts'
import { InvalidInput } from '../errors.ts'
import type { SnapshotView } from '../hosting/host.ts'
import type { Control } from '../protocol/control.ts'
import { ToShard } from '../protocol/to-shard.ts'
import type { CommandMessage } from '../protocol/to-shard.ts'
import { checkCall, checkTimeout } from './call.ts'
import type { AskOptions, CallOptions, TellOptions } from './call.ts'
import { Changes } from './changes.ts'
import { checkLeaseName, LeaseRef } from './lease.ts'
import type { LateResultView, TurnView } from '../shard/turn-view.ts'
import type { ShardClient } from './shard-client.ts'

/** Arguments of a call: the input must be empty where the command has none, and may be left out where all of it is optional. */
export type CallArguments<Given, Options = CallOptions> = keyof Given extends never
  ? [input?: Readonly<Record<string, never>>, options?: Options]
  : object extends Given
    ? [input?: Given, options?: Options]
    : [input: Given, options?: Options]

/** What became of a tell that was accepted. */
export interface TellReceipt {
  /**
   * `accepted`: it is handled once, unless its delivery or what it is about turns out to be known when its turn comes.
   * `replaced`: its input took the place of one that waits under the same natural key. `duplicate`: its delivery is known, or
   * what it is about has been handled; it has no effect.
   */
  readonly outcome: 'accepted' | 'replaced' | 'duplicate'
}

/** A named timer of an actor. */
export interface TimerView {
  readonly name: string
  /** Wall time in milliseconds since 1970. */
  readonly dueAt: number
  /** Time from tick to tick in milliseconds; 0 for a timer that rings once. */
  readonly everyMs: number
  /** The event that the actor will get. */
  readonly event: { readonly type: string }
}

/** `ref.ask`: a method per command and query; resolves with the reply after the commit. */
export type AskMethods<Commands> = {
  readonly [Name in keyof Commands]: Commands[Name] extends CommandBuilder<
    CommandKind,
    infer Given,
    infer _Input,
    infer Reply,
    infer _Snapshot
  >
    ? (...args: CallArguments<Given, AskOptions>) => Promise<Reply>
    : never
}

/** `ref.tell`: a method per command; resolves once the command is durably accepted. */
export type TellMethods<Commands> = {
  readonly [
    Name in keyof Commands as Commands[Name] extends CommandBuilder<'query', infer _Given, infer _Input, infer _Reply, infer _Snapshot>
      ? never
      : Name
  ]: Commands[Name] extends CommandBuilder<CommandKind, infer Given, infer _Input, infer _Reply, infer _Snapshot>
    ? (...args: CallArguments<Given, TellOptions>) => Promise<TellReceipt>
    : never
}

/** A snapshot of an actor's state: XState's `status`, `value`, `context`, `output`, as plain data. */
export interface ActorSnapshot<Snapshot> {
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  readonly value: Snapshot extends { readonly value: infer Value } ? Value : undefined
  readonly context: Snapshot extends { readonly context: infer Context } ? Context : undefined
  readonly output?: Snapshot extends { readonly output: infer Output } ? Output : undefined
  /** Message of the error that ended the logic, where `status` is `error`. */
  readonly error?: string
}

/** The handle of one actor. */
export interface ActorRef<Snapshot, Commands> {
  readonly type: string
  readonly key: ActorKey
  /** The actor's name in messages and errors, for instance `account/alice`. */
  readonly address: string
  /** Sends a command and waits for its reply, which leaves after the commit. */
  readonly ask: AskMethods<Commands>
  /** Sends a command and waits until it is durably accepted, which may be before it is handled. */
  readonly tell: TellMethods<Commands>
  /** The state now, read like a query of normal priority. Reading an actor does not create it. */
  snapshot(options?: ReadOptions): Promise<ActorSnapshot<Snapshot>>
  /** The state now, then every committed change; several of one batch arrive as one. A slow consumer gets `SlowConsumer`. */
  changes(): AsyncIterableIterator<ActorSnapshot<Snapshot>>
  /** The actor's durable timers, by name, as of the last commit; those of `after` and delayed `raise` among them. */
  timers(options?: ReadOptions): Promise<readonly TimerView[]>
  /** The actor's turns as of the last commit, the latest first: those that have not ended, and the last ones that have. */
  turns(options?: ListOptions): Promise<readonly TurnView[]>
  /** What came from turns of the actor whose epoch was over, and took no effect; the latest first. */
  lateResults(options?: ListOptions): Promise<readonly LateResultView[]>
  /**
   * Interrupts a turn by its number, whatever its rank. Resolves once the intent is durable, before the turn has come to a
   * boundary: `superseded` if it has ended, or is in another attempt, and nothing was done. `accepted` also where nothing had to be
   * done: for `steal` of a turn that does not run, for `abort-keep` of one that has not begun.
   */
  cancelTurn(turn: number, options?: CancelTurnOptions): Promise<{ readonly outcome: 'accepted' | 'superseded' }>
  /** The actor's lease of this name. Naming it does nothing. */
  lease(name: string): LeaseRef
}

/** Options of whatever only reads. */
export type ReadOptions = Pick<CallOptions, 'timeoutMs' | 'signal'>

/** Options of what may be long. */
export interface ListOptions extends ReadOptions {
  /** How many at most. Default 100. */
  readonly limit?: number
}

/** What is to become of a turn that is cancelled. */
export interface CancelTurnOptions extends ReadOptions {
  /** Only if it is in this attempt. Default: any. */
  readonly attempt?: number
  /** `steal` parks it, `abort-keep` lets it start anew, `abort-drop` ends it for good. Default `abort-drop`. */
  readonly mode?: PreemptMode
  /** Why, in words: the turn, its caller and the history get it. */
  readonly reason?: string
}

/** A ref to the actors of a definition. */
export type RefOf<Definition> =
  Definition extends ActorDefinition<string, infer Snapshot, infer Commands> ? ActorRef<Snapshot, Commands> : never

/** One definition, as its refs share it. */
export interface RefKind {
  readonly definition: ActorDefinition
  /** Position of the definition in the list that both sides have. */
  readonly type: number
  /** Prototypes of `ask` and `tell`. */
  readonly askMethods: object
  readonly tellMethods: object
}

/** The receipt of nearly every tell. */
const ACCEPTED: TellReceipt = Object.freeze({ outcome: 'accepted' })

/** What `ask` and `tell` of a ref are at run time: methods from the prototype, and the ref they belong to. */
interface Facade {
  readonly ref: Ref
}

/** Makes the methods that all refs of a definition share. */
export function refKindOf(definition: ActorDefinition, type: number): RefKind {
  const askMethods = {}
  const tellMethods = {}
  for (const [index, command] of [...definition.commands.values()].entries()) {
    defineMethod(askMethods, ToShard.ask, index, command)
    if (command.kind !== 'query') defineMethod(tellMethods, ToShard.tell, index, command)
  }
  return { definition, type, askMethods, tellMethods }
}

/** A method that is bound when it is read, so that it can be taken off its ref and passed around. */
function defineMethod(methods: object, tag: CommandMessage[0], index: number, command: AnyCommand): void {
  Object.defineProperty(methods, command.name, {
    enumerable: true,
    get(this: Facade) {
      const { ref } = this
      return (input?: unknown, options?: TellOptions & AskOptions) => ref.send(tag, index, command, input, options)
    },
  })
}

const MODES: ReadonlySet<string> = new Set(['steal', 'abort-keep', 'abort-drop'])
const CANCEL_OPTIONS: ReadonlySet<string> = new Set(['attempt', 'mode', 'reason', 'timeoutMs', 'signal'])

const LIST_OPTIONS: ReadonlySet<string> = new Set(['limit', 'timeoutMs', 'signal'])

function checkLimit(operation: string, options: ListOptions): number {
  checkOptionNames(operation, options, LIST_OPTIONS)
  const { limit = 100 } = options
  if (Number.isSafeInteger(limit) && limit >= 1) return limit
  throw new InvalidInput(operation, 'limit', 'must be a whole number from 1')
}

/** A ref at run time. Its types are those of `ActorRef`; the system hands it out as such. */
export class Ref {
  readonly key: ActorKey
  readonly #kind: RefKind
  readonly #encodedKey: string
  readonly #client: () => ShardClient
  #ask: Facade | undefined
  #tell: Facade | undefined

  /** `client` answers the shard's client, or throws `SystemClosed`. */
  constructor(kind: RefKind, key: ActorKey, encodedKey: string, client: () => ShardClient) {
    this.key = key
    this.#kind = kind
    this.#encodedKey = encodedKey
    this.#client = client
  }

  get type(): string {
    return this.#kind.definition.type
  }

  get address(): string {
    return addressOf(this.type, this.#encodedKey)
  }

  get ask(): object {
    return (this.#ask ??= this.#facade(this.#kind.askMethods))
  }

  get tell(): object {
    return (this.#tell ??= this.#facade(this.#kind.tellMethods))
  }

  async timers(options: ReadOptions = {}): Promise<unknown> {
    return await this.#read(ToShard.timers, 'timers', options)
  }

  async snapshot(options: ReadOptions = {}): Promise<unknown> {
    return await this.#read(ToShard.snapshot, 'snapshot', options)
  }

  async turns(options: ListOptions = {}): Promise<unknown> {
    return await this.#read(ToShard.turns, 'turns', options, checkLimit(`${this.type}.turns`, options))
  }

  async lateResults(options: ListOptions = {}): Promise<unknown> {
    return await this.#read(ToShard.lateResults, 'lateResults', options, checkLimit(`${this.type}.lateResults`, options))
  }

  async cancelTurn(turn: number, options: CancelTurnOptions = {}): Promise<{ readonly outcome: unknown }> {
    const operation = `${this.type}.cancelTurn`
    checkOptionNames(operation, options, CANCEL_OPTIONS)
    const { attempt, mode = 'abort-drop', reason } = options
    if (!Number.isSafeInteger(turn)) throw new InvalidInput(operation, 'turn', 'must be the number of a turn')
    if (attempt !== undefined && !Number.isSafeInteger(attempt)) throw new InvalidInput(operation, 'attempt', 'must be a whole number')
    if (!MODES.has(mode)) throw new InvalidInput(operation, 'mode', 'must be "steal", "abort-keep" or "abort-drop"')
    if (reason !== undefined) checkName(operation, 'reason', reason)
    const outcome = await this.#control('cancelTurn', options, {
      kind: 'cancel-turn',
      turn,
      mode,
      ...(attempt === undefined ? {} : { attempt }),
      ...(reason === undefined ? {} : { reason }),
    })
    return { outcome }
  }

  lease(name: string): LeaseRef {
    const { definition } = this.#kind
    const operation = `${this.type}.lease`
    if (definition.persist === 'nothing')
      throw new InvalidInput(operation, 'name', 'has no meaning for a volatile actor, which keeps no lease')
    return new LeaseRef({
      name: checkLeaseName(operation, name),
      operation: `${this.address} lease ${name}`,
      clock: this.#client().clock,
      control: async (control, options) => await this.#control('lease', options, control),
    })
  }

  changes(): AsyncIterableIterator<SnapshotView> {
    const client = this.#client()
    const changes = new Changes(this.address, () => client.unfollow(call))
    const call = client.follow(changes, this.#kind.type, this.#encodedKey)
    return changes
  }

  /** Sends a command. Whatever is wrong with the call rejects the promise; nothing is thrown. */
  async send(
    tag: CommandMessage[0],
    command: number,
    definition: AnyCommand,
    given: unknown,
    options: (TellOptions & AskOptions) | undefined,
  ): Promise<unknown> {
    const { type, definition: actor } = this.#kind
    const client = this.#client()
    const isTell = tag === ToShard.tell
    const call = checkCall(`${actor.type}.${definition.name}`, definition, actor.persist !== 'nothing', isTell, given, options)
    const { lane, input, idempotencyKey, fingerprint, extras } = call
    const key = this.#encodedKey
    const value = await client.call({ address: this.address, command: definition.name }, call, (number) => {
      if (extras !== undefined) return [tag, number, type, key, command, lane, input, idempotencyKey ?? null, fingerprint ?? null, extras]
      if (idempotencyKey === undefined) return [tag, number, type, key, command, lane, input]
      return [tag, number, type, key, command, lane, input, idempotencyKey, fingerprint ?? null]
    })
    if (!isTell) return value
    return value === undefined ? ACCEPTED : { outcome: value }
  }

  async #read(
    tag: typeof ToShard.snapshot | typeof ToShard.timers | typeof ToShard.turns | typeof ToShard.lateResults,
    command: string,
    options: ReadOptions,
    limit?: number,
  ): Promise<unknown> {
    const operation = `${this.type}.${command}`
    const timeoutMs = checkTimeout(operation, options.timeoutMs)
    checkSignal(operation, options.signal)
    const { type } = this.#kind
    return await this.#client().call({ address: this.address, command }, { timeoutMs, signal: options.signal }, (call) =>
      limit === undefined ? [tag, call, type, this.#encodedKey] : [tag, call, type, this.#encodedKey, limit],
    )
  }

  async #control(command: string, options: ReadOptions, control: Control): Promise<unknown> {
    const operation = `${this.type}.${command}`
    const timeoutMs = checkTimeout(operation, options.timeoutMs)
    checkSignal(operation, options.signal)
    const limits = { timeoutMs, signal: options.signal, isWithdrawn: control.kind === 'acquire' }
    const { type } = this.#kind
    return await this.#client().call({ address: this.address, command }, limits, (call) => [
      ToShard.control,
      call,
      type,
      this.#encodedKey,
      control,
    ])
  }

  #facade(methods: object): Facade {
    return Object.assign(Object.create(methods) as object, { ref: this }) as Facade // The prototype holds the methods.
  }
}
