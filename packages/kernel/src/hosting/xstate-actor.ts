/**
 * One hosted actor as XState sees it: the actor system that its children live in, and the reference that is their
 * parent. Both are small, because there is one of each for every actor in memory.
 *
 * The members with a leading underscore are XState v5's own protocol between actors and their system.
 */
import type { AnyActorRef, EventObject, InspectionEvent, Observer, Subscription } from 'xstate'
import type { Asker } from './asking.ts'
import type { TellWish } from './wish.ts'
import type { EventLike, Hosted, HostClock, SnapshotLike } from './host.ts'

/** What an actor in memory needs from its host. */
export interface ActorPort {
  readonly clock: HostClock
  send(actor: HostedActor, event: EventLike): void
  ask(actor: HostedActor, wish: TellWish, timeoutMs: number | undefined, signal: AbortSignal): Promise<unknown>
  childChanged(actor: HostedActor): void
  /** The first microstep of a transition: which transitions the event selected. */
  microstep(event: unknown, transitions: readonly { readonly target?: unknown; readonly actions: readonly unknown[] }[]): void
  persisted(actor: HostedActor): unknown
}

/** XState's `log` action prints to the console, here as everywhere. */
// oxlint-disable-next-line eslint/no-console -- it is what the action is for.
export const printLog = (...args: readonly unknown[]): void => console.log(...args)

const NOTHING: Subscription = { unsubscribe: () => undefined }

/** Children in a stored snapshot, by id, in XState's form. */
export type StoredChildren = Readonly<Record<string, { readonly snapshot?: { readonly status?: string } }>>

/** An actor in memory, and the XState system of its children. */
export class HostedActor implements Hosted, Asker {
  snapshot: SnapshotLike & { readonly children?: Readonly<Record<string, AnyActorRef>> }
  readonly owner: unknown
  readonly address: string
  readonly port: ActorPort
  readonly self: SelfRef
  /** Its children as they were stored last, for those that have failed since. */
  storedChildren: StoredChildren | undefined = undefined
  #children: Children | undefined

  constructor(owner: unknown, address: string, port: ActorPort) {
    this.owner = owner
    this.address = address
    this.port = port
    this.self = new SelfRef(this)
    this.snapshot = NOT_STARTED
  }

  get isBusy(): boolean {
    return this.#children !== undefined && this.#children.refs.size > 0
  }

  get hasChildren(): boolean {
    const { children } = this.snapshot
    return children !== undefined && Object.keys(children).length > 0
  }

  /** Forgets timers and names of children that are being stopped. */
  dispose(): void {
    const children = this.#children
    if (children === undefined) return
    for (const timer of children.timers.values()) timer.cancel()
    this.#children = undefined
  }

  /** What `asking` finds in the system of its child. */
  ask(wish: TellWish, timeoutMs: number | undefined, signal: AbortSignal): Promise<unknown> {
    return this.port.ask(this, wish, timeoutMs, signal)
  }

  get #ownChildren(): Children {
    return (this.#children ??= { refs: new Map(), named: new Map(), timers: new Map(), booked: 0 })
  }

  // The rest is XState's protocol of an actor system.

  _bookId(): string {
    const children = this.#ownChildren
    children.booked += 1
    return `${this.address}:${children.booked}`
  }

  _register(sessionId: string, ref: AnyActorRef): string {
    this.#ownChildren.refs.set(sessionId, ref)
    return sessionId
  }

  _unregister(ref: AnyActorRef): void {
    const children = this.#ownChildren
    children.refs.delete(ref.sessionId)
    for (const [name, named] of children.named) if (named === ref) children.named.delete(name)
  }

  _set(systemId: string, ref: AnyActorRef): void {
    const named = this.#ownChildren.named
    const existing = named.get(systemId)
    if (existing !== undefined && existing !== ref) throw new Error(`A child with the system id "${systemId}" already exists.`)
    named.set(systemId, ref)
  }

  get(systemId: string): AnyActorRef | undefined {
    return this.#children?.named.get(systemId)
  }

  getAll(): Record<string, AnyActorRef> {
    return Object.fromEntries(this.#children?.named ?? [])
  }

  inspect(_observer: Observer<InspectionEvent> | ((event: InspectionEvent) => void)): Subscription {
    return NOTHING
  }

  _sendInspectionEvent(event: SystemInspection): void {
    if (event.type === '@xstate.microstep') {
      if (event.actorRef === this.self) this.port.microstep(event.event, event._transitions ?? [])
    } else if (event.type === '@xstate.snapshot') this.port.childChanged(this)
  }

  _relay(_source: unknown, target: { _send(event: EventLike): void }, event: EventLike): void {
    target._send(event)
  }

  /** Delayed events of children, in memory. Those of the actor itself never come here: they are durable timers. */
  get scheduler(): ChildScheduler {
    return {
      schedule: (source, target, event, delayMs, id) => this.#schedule(source, target, event, delayMs, id),
      cancel: (source, id) => this.#cancelTimers((name) => name === `${source.sessionId}.${id}`),
      cancelAll: (source) => this.#cancelTimers((name) => name.startsWith(`${source.sessionId}.`)),
    }
  }

  #schedule(source: AnyActorRef, target: SendTarget, event: EventObject, delayMs: number, id: string | undefined): void {
    const children = this.#ownChildren
    children.booked += 1
    const name = `${source.sessionId}.${id ?? `timer${children.booked}`}`
    children.timers.get(name)?.cancel()
    const timer = this.port.clock.setTimer(() => {
      children.timers.delete(name)
      target._send(event)
    }, delayMs)
    children.timers.set(name, timer)
  }

  #cancelTimers(matches: (name: string) => boolean): void {
    for (const [name, timer] of this.#children?.timers ?? []) {
      if (!matches(name)) continue
      timer.cancel()
      this.#children?.timers.delete(name)
    }
  }

  getSnapshot(): { _scheduledEvents: Record<string, never> } {
    return { _scheduledEvents: {} }
  }

  start(): void {
    // Nothing is scheduled before its commit, so there is nothing to start.
  }

  get _clock(): { setTimeout(callback: () => void, delayMs: number): unknown; clearTimeout(timer: { cancel(): void }): void } {
    const { clock } = this.port
    return { setTimeout: (callback, delayMs) => clock.setTimer(callback, delayMs), clearTimeout: (timer) => timer.cancel() }
  }

  get _logger(): (...args: unknown[]) => void {
    return printLog
  }
}

interface Children {
  readonly refs: Map<string, AnyActorRef>
  readonly named: Map<string, AnyActorRef>
  readonly timers: Map<string, { cancel(): void }>
  booked: number
}

interface ChildScheduler {
  schedule(source: AnyActorRef, target: SendTarget, event: EventObject, delayMs: number, id?: string): void
  cancel(source: AnyActorRef, id: string): void
  cancelAll(source: AnyActorRef): void
}

interface SendTarget {
  _send(event: EventLike): void
}

/** What XState reports to its system; only microsteps and snapshots matter here. */
interface SystemInspection {
  readonly type: string
  readonly actorRef?: unknown
  readonly event?: unknown
  readonly _transitions?: readonly { readonly target?: unknown; readonly actions: readonly unknown[] }[]
}

const NOT_STARTED: SnapshotLike = { status: 'active' }

/** The reference to a hosted actor: `self` in its actions and the parent of its children. */
export class SelfRef {
  readonly #actor: HostedActor
  readonly _processingStatus = 1

  constructor(actor: HostedActor) {
    this.#actor = actor
  }

  get id(): string {
    return this.#actor.address
  }

  get sessionId(): string {
    return this.#actor.address
  }

  get system(): HostedActor {
    return this.#actor
  }

  get ref(): this {
    return this
  }

  send(event: EventLike): void {
    this.#actor.port.send(this.#actor, event)
  }

  _send(event: EventLike): void {
    this.#actor.port.send(this.#actor, event)
  }

  getSnapshot(): SnapshotLike {
    return this.#actor.snapshot
  }

  getPersistedSnapshot(): unknown {
    return this.#actor.port.persisted(this.#actor)
  }

  subscribe(): Subscription {
    return NOTHING
  }

  on(): Subscription {
    return NOTHING
  }

  start(): this {
    return this
  }

  stop(): this {
    throw new Error('An actor cannot stop itself through its reference: let its machine reach a final state.')
  }

  toJSON(): unknown {
    return { xstate$$type: 1, id: this.id }
  }
}
