/**
 * Hosts XState v5 logic: the kernel is the interpreter.
 *
 * 1. The logic's own `transition(snapshot, event, scope)` runs in one long-lived scope per type. While it runs, the
 *    scope collects: delayed raises and cancels become timer wishes, the kernel's own actions (`actions.ts`) become
 *    wishes, every other action is kept with its parameters already resolved. Nothing executes.
 * 2. After the commit the shard hands the kept actions back to `release`, which points the scope at the actor again
 *    and executes them the way XState would: actions first, what they deferred (starting and stopping children) after.
 * 3. Whether the state took the event is read from the first microstep that XState reports, so no guard runs twice.
 *
 * Casts to XState's own types gather here: its scope and system interfaces are wider than what a logic uses.
 */
import type { AnyActorLogic, AnyActorRef, AnyActorScope, ExecutableActionObject, Snapshot } from 'xstate'
import type { ActorKey } from '../definition/key.ts'
import { asError, messageOf } from '../errors.ts'
import type { EventLike, Host, HostClock, Hosted, HostEvents, SnapshotLike, SnapshotView, Step, TimerWish } from './host.ts'
import { HostedActor, printLog } from './xstate-actor.ts'
import type { ActorPort, StoredChildren } from './xstate-actor.ts'
import { wishOf } from './wish.ts'
import type { TellWish, Wish } from './wish.ts'

const NO_ACTIONS: readonly unknown[] = []
const NO_TIMERS: readonly TimerWish[] = []
const NO_WISHES: readonly Wish[] = []

/** Interprets one XState v5 logic for all its actors on one shard. */
export class XStateHost<Owner> implements Host<Owner>, ActorPort {
  readonly clock: HostClock
  readonly #logic: AnyActorLogic
  readonly #events: HostEvents<Owner>
  readonly #scope: Scope
  #actions: ExecutableActionObject[] = []
  #timers: TimerWish[] = []
  #wishes: Wish[] = []
  #event: EventLike | undefined
  #isAccepted = true

  constructor(logic: AnyActorLogic, events: HostEvents<Owner>, clock: HostClock) {
    this.#logic = logic
    this.#events = events
    this.clock = clock
    this.#scope = new Scope((action) => this.#collect(action))
  }

  create(owner: Owner, address: string, _key: ActorKey, input: unknown): { readonly hosted: Hosted; readonly step: Step } {
    const actor = new HostedActor(owner, address, this)
    this.#begin(actor, undefined)
    const snapshot = this.#logic.getInitialSnapshot(this.#scope.asXState, input) as SnapshotLike
    // A machine reports a throw in its initial state as a snapshot; for an actor that does not exist yet it is a failure.
    if (snapshot.status === 'error') throw snapshot.error
    actor.snapshot = snapshot
    return { hosted: actor, step: this.#end(snapshot) }
  }

  restore(owner: Owner, address: string, stored: unknown): Hosted {
    const actor = new HostedActor(owner, address, this)
    this.#begin(actor, undefined)
    actor.storedChildren = (stored as { readonly children?: StoredChildren }).children // XState's form of a machine's snapshot.
    const { restoreSnapshot } = this.#logic
    actor.snapshot = (
      restoreSnapshot === undefined ? stored : restoreSnapshot.call(this.#logic, stored as Snapshot<unknown>, this.#scope.asXState)
    ) as SnapshotLike
    return actor
  }

  transition(hosted: Hosted, event: EventLike): Step {
    const actor = hosted as HostedActor
    const { snapshot } = actor
    if (snapshot.status !== 'active') return { snapshot, isAccepted: false, timers: NO_TIMERS, wishes: NO_WISHES, actions: NO_ACTIONS }
    this.#begin(actor, event)
    const made = this.#logic.transition(snapshot, event, this.#scope.asXState) as SnapshotLike
    const next = isSame(snapshot, made) ? snapshot : made
    // An error that nothing in the logic handles, of a child for instance, is a failure like a throw: it is no state to be kept.
    if (next.status === 'error') throw asError(next.error)
    return this.#end(next)
  }

  apply(hosted: Hosted, snapshot: SnapshotLike): void {
    ;(hosted as HostedActor).snapshot = snapshot
  }

  release(hosted: Hosted, actions: readonly unknown[]): void {
    const actor = hosted as HostedActor
    const deferred: (() => void)[] = []
    this.#scope.actor = actor
    this.#scope.defer = (action) => deferred.push(action)
    for (const action of actions as readonly ExecutableActionObject[]) this.#attempt(actor, () => action.exec?.(action.info, action.params))
    for (const action of deferred) this.#attempt(actor, action)
  }

  start(hosted: Hosted): void {
    const actor = hosted as HostedActor
    this.#scope.actor = actor
    this.#attempt(actor, () => this.#logic.start?.(actor.snapshot, this.#scope.asXState))
  }

  dispose(hosted: Hosted): void {
    const actor = hosted as HostedActor
    for (const child of childrenOf(actor.snapshot)) this.#attempt(actor, () => stopChild(child))
    actor.dispose()
  }

  encode(hosted: Hosted): string {
    return JSON.stringify(this.persisted(hosted as HostedActor))
  }

  view(hosted: Hosted): SnapshotView {
    const { status, value, context, output, error } = this.#persistedParts(hosted as HostedActor)
    const view: { -readonly [Name in keyof SnapshotView]: SnapshotView[Name] } = { status }
    if (value !== undefined) view.value = value
    if (context !== undefined) view.context = context
    if (output !== undefined) view.output = output
    if (status === 'error') view.error = messageOf(error)
    return view
  }

  // What hosted actors report.

  send(actor: HostedActor, event: EventLike): void {
    this.#events.internalEvent(actor.owner as Owner, event)
  }

  ask(actor: HostedActor, wish: TellWish, timeoutMs: number | undefined, signal: AbortSignal): Promise<unknown> {
    return this.#events.ask(actor.owner as Owner, wish, timeoutMs, signal)
  }

  childChanged(actor: HostedActor): void {
    this.#events.childChanged(actor.owner as Owner)
  }

  microstep(event: unknown, transitions: readonly { readonly target?: unknown; readonly actions: readonly unknown[] }[]): void {
    if (event !== this.#event) return
    this.#event = undefined
    // The same rule as the machine's own `can`: a transition without target and actions is there to forbid.
    this.#isAccepted = transitions.some(({ target, actions }) => target !== undefined || actions.length > 0)
  }

  persisted(actor: HostedActor): unknown {
    const persisted = mended(this.#logic.getPersistedSnapshot(actor.snapshot), actor)
    return persisted.status === 'error' ? { ...persisted, error: { message: messageOf(persisted.error) } } : persisted
  }

  #persistedParts(actor: HostedActor): SnapshotLike {
    return this.#logic.getPersistedSnapshot(actor.snapshot)
  }

  #begin(actor: HostedActor, event: EventLike | undefined): void {
    this.#actions = []
    this.#timers = []
    this.#wishes = []
    this.#event = event
    this.#isAccepted = true
    this.#scope.actor = actor
  }

  #end(snapshot: SnapshotLike): Step {
    return {
      snapshot,
      isAccepted: this.#isAccepted,
      timers: this.#timers.length === 0 ? NO_TIMERS : this.#timers,
      wishes: this.#wishes.length === 0 ? NO_WISHES : this.#wishes,
      actions: this.#actions.length === 0 ? NO_ACTIONS : this.#actions,
    }
  }

  /** Sorts one action of a transition into timers and what has to wait for the commit. */
  #collect(action: ExecutableActionObject): void {
    const params: BuiltinParameters = action.params ?? {}
    const wish = action.type === 'xstate.emit' && params.event !== undefined ? wishOf(params.event) : undefined
    if (wish !== undefined) {
      this.#wishes.push(wish)
    } else if (action.type === 'xstate.raise') {
      // Without a delay XState has already put it into its internal queue.
      if (params.delay !== undefined && params.event !== undefined) this.#wishTimer(params.id, params.event, params.delay)
    } else if (action.type === 'xstate.cancel') {
      if (params.sendId !== undefined) this.#timers.push({ kind: 'cancel', name: params.sendId })
    } else if (action.type === 'xstate.sendTo' && params.event !== undefined && params.to === this.#scope.self) {
      this.#wishTimer(params.id, params.event, params.delay ?? 0)
    } else {
      if (action.type === 'xstate.stopChild') forgetName(this.#scope.actor, action.params)
      this.#actions.push(action)
    }
  }

  #wishTimer(name: string | undefined, event: EventLike, delayMs: number): void {
    this.#timers.push({ kind: 'set', name, event, delayMs })
  }

  #attempt(actor: HostedActor, action: () => void): void {
    try {
      action()
    } catch (error) {
      this.#events.actionFailed(actor.owner as Owner, error)
    }
  }
}

/** Parameters of XState's built-in actions, as far as the kernel reads them. */
interface BuiltinParameters {
  readonly event?: EventLike
  readonly delay?: number
  readonly id?: string
  readonly sendId?: string
  readonly to?: unknown
}

/** The scope in which a logic runs: XState's `ActorScope`, pointed at one actor after the other. */
class Scope {
  actor: HostedActor | undefined
  // XState replaces and restores this one during a microstep, so it is a plain property.
  actionExecutor: (action: ExecutableActionObject) => void
  defer: (action: () => void) => void = () => undefined

  constructor(collect: (action: ExecutableActionObject) => void) {
    this.actionExecutor = collect
  }

  get asXState(): AnyActorScope {
    return this as unknown as AnyActorScope // The seam: a subset of XState's interface that logic really uses.
  }

  get self(): unknown {
    return this.actor?.self
  }

  get id(): string {
    return this.actor?.address ?? ''
  }

  get sessionId(): string {
    return this.actor?.address ?? ''
  }

  get system(): unknown {
    return this.actor
  }

  readonly logger = printLog

  /** Emitted events have no listeners of their own yet: nobody outside can reach the machine but through commands. */
  emit = (): void => undefined

  stopChild = (child: AnyActorRef): void => stopChild(child)
}

function stopChild(child: AnyActorRef): void {
  // The method that XState's own parents use; `stop` refuses for a child.
  ;(child as unknown as { _stop(): void })._stop()
}

/** Whether a step has changed nothing: logic that is no machine makes a new snapshot for each event, whatever it answers. */
function isSame(before: SnapshotLike, after: SnapshotLike): boolean {
  if (before === after) return true
  if (before.value !== undefined || after.value !== undefined) return false
  return (
    before.context !== undefined && before.context === after.context && before.status === after.status && before.output === after.output
  )
}

function childrenOf(snapshot: SnapshotLike & { readonly children?: Readonly<Record<string, AnyActorRef>> }): readonly AnyActorRef[] {
  return Object.values(snapshot.children ?? {})
}

/** A name is free again as soon as its child is told to stop, so that the next state may use it in the same batch. */
function forgetName(actor: HostedActor | undefined, child: unknown): void {
  if (actor !== undefined && typeof child === 'object' && child !== null && 'sessionId' in child) actor._unregister(child as AnyActorRef)
}

/**
 * A snapshot in which no child has failed. The error of a child is its parent's failure, unless the parent handles it: either
 * way the child is gone, or begins anew from what was stored of it. Stored as failed, it would never begin again.
 */
function mended<Persisted extends object>(persisted: Persisted, actor: HostedActor): Persisted {
  const { children } = persisted as { readonly children?: StoredChildren } // XState's form of a machine's snapshot.
  if (children === undefined) return persisted
  const failed = Object.entries(children).filter(([, child]) => child.snapshot?.status === 'error')
  const again = failed.map(([id, child]) => {
    const kept = actor.storedChildren?.[id] ?? { ...child, snapshot: { ...child.snapshot, status: 'active', error: undefined } }
    return [id, kept] as const
  })
  actor.storedChildren = failed.length === 0 ? children : { ...children, ...Object.fromEntries(again) }
  return failed.length === 0 ? persisted : { ...persisted, children: actor.storedChildren }
}
