/**
 * A shard: one owner, one thread, one loop.
 *
 * 1. Texts arrive and are admitted: every command finds its mailbox or is refused.
 * 2. Ready actors are served, one command each in turn, until nothing is ready or the batch is at its bound.
 * 3. The batch is committed; one that changed nothing needs no commit.
 * 4. Only then do answers leave, actions run and children start.
 *
 * If a commit fails for a reason that may pass (disk full, busy), callers get `StoreUnavailable`, the batch is undone
 * in memory, and the shard tries again after a pause. If it fails for good (`Fenced`, `StoreDamaged`, an I/O error), it stops:
 * everything that waits and everything that comes is answered with that error.
 */
import { Fenced, StoreUnavailable } from '@bailiwick/store'
import type { ShardStore, StoredActor, StoredOutcome } from '@bailiwick/store'
import type { ActorDefinition } from '../definition/define-actor.ts'
import { encodeError, NotSerializable } from '../errors.ts'
import type { EventLike, HostEvents } from '../hosting/host.ts'
import { XStateHost } from '../hosting/xstate-host.ts'
import { encodeFromShard, FromShard } from '../protocol/from-shard.ts'
import type { FromShardMessage } from '../protocol/from-shard.ts'
import { decodeToShard, ToShard } from '../protocol/to-shard.ts'
import type { ToShardMessage } from '../protocol/to-shard.ts'
import type { Clock, Scheduler, Timer, Transport } from '../seams/seams.ts'
import { install } from './activation.ts'
import { admit, cellOf, readmit } from './admission.ts'
import { OpenBatch } from './batch.ts'
import type { Cell, Internal, Kind, Waiting } from './cell.ts'
import { forget, rollBack, seal } from './commit.ts'
import { ShardCore } from './core.ts'
import { Gauge } from './gauges.ts'
import type { ShardLimits } from './limits.ts'
import { idempotencyScope, refuse, serveCommand, serveInternal, serveRead, serveRecorded } from './service.ts'
import { ShardTimers } from './timers.ts'

/** How many commands are served between two looks at the clock. */
const CLOCK_EVERY = 16
const PAUSE_MS_MIN = 10
const PAUSE_MS_MAX = 1_000
const EXPIRE_EVERY_MS = 60_000
const EXPIRE_LIMIT = 1_000
const PASSIVATE_LIMIT = 10_000

/** What a shard is made of. */
export interface ShardParts {
  readonly store: ShardStore
  readonly transport: Transport
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly definitions: readonly ActorDefinition[]
  readonly limits: ShardLimits
  readonly gauges: Float64Array
  /** Hears of errors that belong to no caller: an action that threw after its commit. */
  readonly report: (error: unknown) => void
}

/** One shard with its actors. */
export class Shard implements HostEvents<Cell> {
  readonly #core: ShardCore
  readonly #timers: ShardTimers
  readonly #transport: Transport
  readonly #scheduler: Scheduler
  readonly #alarms = new Map<string, Timer>()
  #state: 'recovering' | 'open' | 'closing' | 'closed' = 'recovering'
  #fault: Error | undefined
  #isCommitting = false
  #isPumping = false
  #isScheduled = false
  #pauseMs = 0
  #closeCall = 0

  constructor(parts: ShardParts) {
    const kinds = parts.definitions.map((definition): Kind => ({
      definition,
      commands: [...definition.commands.values()],
      host: new XStateHost<Cell>(definition.logic, this, parts.clock),
      isDurable: definition.persist !== 'nothing',
      spareMailboxes: [],
    }))
    this.#core = new ShardCore(parts.store, parts.clock, kinds, parts.limits, parts.gauges, parts.report)
    this.#timers = new ShardTimers(this.#core, (type, key, internal) => this.#deliver(type, key, internal))
    this.#transport = parts.transport
    this.#scheduler = parts.scheduler
  }

  /** Reads what waits, and begins to serve. Rejects with `StoreDamaged` or `StoreUnavailable`. */
  async recover(): Promise<void> {
    const core = this.#core
    const recovery = await core.store.recover()
    core.clock.notBefore(recovery.committedAt)
    core.nextActorNumber = recovery.nextActorNumber
    core.nextInboxSequence = recovery.nextInboxSequence
    core.nextTimerGeneration = recovery.nextTimerGeneration
    for (const row of recovery.inbox) core.count(readmit(core, row) ? Gauge.recovered : Gauge.stranded)
    this.#timers.arm()
    if (this.#state !== 'recovering') return
    this.#state = 'open'
    this.#every('idle', sweepMsOf(core.kinds), () => this.#passivateIdle())
    this.#every('expire', EXPIRE_EVERY_MS, () => void this.#expireOutcomes())
    this.#transport.onText((text) => this.#receive(text))
    core.publishGauges()
    this.#wake()
  }

  /** Stops at once and forgets everything that is not committed, as a crash would. */
  kill(): void {
    this.#state = 'closed'
    this.#stopAlarms()
    void this.#core.store.close()
  }

  // What hosted actors report between transitions.

  internalEvent(cell: Cell, event: EventLike): void {
    if (cell.hosted === undefined) return
    cell.pushInternal({ tag: 'event', event })
    this.#core.ready.add(cell)
    this.#wake()
  }

  childChanged(cell: Cell): void {
    if (cell.hosted === undefined || cell.isDirty) return
    cell.pushInternal({ tag: 'store' })
    this.#core.ready.add(cell)
    this.#wake()
  }

  actionFailed(_cell: Cell, error: unknown): void {
    this.#core.count(Gauge.actionFailures)
    this.#core.report(error)
  }

  #deliver(type: string, key: string, internal: Internal): boolean {
    const kind = this.#core.kindOf(type)
    if (kind === undefined) return false
    const cell = cellOf(this.#core, kind, key)
    cell.pushInternal(internal)
    this.#core.ready.add(cell)
    this.#wake()
    return true
  }

  #receive(text: string): void {
    this.#admitText(text)
    this.#pump()
  }

  #admitText(text: string): void {
    const now = this.#core.clock.wall()
    for (const message of decodeToShard(text)) this.#admit(message, now)
  }

  #admit(message: ToShardMessage, now: number): void {
    switch (message[0]) {
      case ToShard.close:
        this.#closeCall = message[1]
        if (this.#state === 'open') this.#state = 'closing'
        return
      case ToShard.unfollow:
        for (const [address, calls] of this.#core.followers)
          if (calls.delete(message[1]) && calls.size === 0) this.#core.followers.delete(address)
        return
      case ToShard.ask:
      case ToShard.tell:
      case ToShard.snapshot:
      case ToShard.follow:
        if (this.#fault === undefined) admit(this.#core, message, now)
        else this.#send([[FromShard.error, message[1], encodeError(this.#fault)]])
    }
  }

  /** Asks for a round of the loop, after pending I/O had its turn. */
  #wake(): void {
    if (this.#isScheduled || this.#isPumping || this.#state === 'recovering') return
    this.#isScheduled = true
    this.#scheduler.soon(() => {
      this.#isScheduled = false
      this.#pump()
    })
  }

  /** One round: admit what has arrived, serve until the batch is full, commit. */
  #pump(): void {
    if (this.#isCommitting || this.#isPumping || this.#state === 'recovering' || this.#state === 'closed') return
    this.#isPumping = true
    for (let text = this.#transport.poll(); text !== undefined; text = this.#transport.poll()) this.#admitText(text)
    const isCommitting = this.#serveBatch()
    this.#isPumping = false
    if (isCommitting) return
    if (this.#state === 'closing') void this.#shutDown()
    else if (!this.#core.ready.isEmpty && !this.#alarms.has('pause')) this.#wake()
  }

  /** Fills and commits a batch. True if the commit takes its time. */
  #serveBatch(): boolean {
    if (this.#alarms.has('pause')) {
      // While the store is away nothing is served; what is refused on arrival is still answered.
      this.#flushRefusals()
      return false
    }
    this.#fill()
    return this.#commit()
  }

  #fill(): void {
    const core = this.#core
    const { batch, clock, limits } = core
    batch.at = clock.wall()
    if (this.#fault !== undefined) return
    const until = clock.elapsed() + limits.batchMs
    for (let count = 1; batch.commands < limits.batchCommands; count += 1) {
      const cell = core.ready.shift()
      if (cell === undefined) return
      this.#serve(cell)
      if (count % CLOCK_EVERY === 0 && clock.elapsed() > until) return
    }
  }

  /** Serves one thing that waits for an actor. */
  #serve(cell: Cell): void {
    const core = this.#core
    if (cell.isWaiting || (cell.hosted === undefined && !this.#activate(cell)) || cell.hosted === undefined) return
    const internal = cell.held === undefined ? cell.internals?.shift() : undefined
    if (internal === undefined) this.#serveWaiting(cell)
    else serveInternal(core, this.#timers, cell, cell.hosted, internal)
    cell.closeMailbox()
    core.residents.touch(cell, core.clock.elapsed())
    core.ready.add(cell)
  }

  #serveWaiting(cell: Cell): void {
    const core = this.#core
    const { held, hosted } = cell
    const waiting = held?.waiting ?? this.#take(cell)
    cell.held = undefined
    if (waiting === undefined || hosted === undefined) return
    core.batch.commands += 1
    if (waiting.command === undefined) {
      serveRead(core, cell, hosted, waiting)
      return
    }
    if (waiting.idempotency === undefined) {
      serveCommand(core, this.#timers, cell, hosted, waiting)
      return
    }
    const recorded = held === undefined ? this.#lookUp(cell, waiting) : held.recorded
    if (recorded === 'later') return
    if (recorded === undefined) serveCommand(core, this.#timers, cell, hosted, waiting)
    else serveRecorded(core, cell, waiting, recorded)
  }

  #take(cell: Cell): Waiting | undefined {
    const waiting = cell.mailbox?.shift()
    if (waiting === undefined || waiting.isWithdrawn) return undefined
    this.#core.waiting.remove(waiting)
    waiting.isServed = true
    return waiting
  }

  /** The recorded outcome for a command's key, from the batch or the store; `later` if the store takes its time or fails. */
  #lookUp(cell: Cell, waiting: Waiting): StoredOutcome | undefined | 'later' {
    const core = this.#core
    const scope = idempotencyScope(waiting)
    const key = waiting.idempotency?.key ?? ''
    const inBatch = core.batch.recorded.get(`${scope}${key}`)
    if (inBatch !== undefined) return inBatch
    try {
      const found = core.store.outcome(scope, key, core.batch.at)
      if (!(found instanceof Promise)) return found
      this.#resumeAfter(
        cell,
        found,
        (recorded) => {
          cell.held = { waiting, recorded }
        },
        (error) => this.#refuseTaken(cell, waiting, error),
      )
    } catch (error) {
      this.#refuseTaken(cell, waiting, asError(error))
    }
    return 'later'
  }

  /** Brings an actor into memory. False if that has to wait or failed; then the command that wanted it has its answer. */
  #activate(cell: Cell): boolean {
    try {
      const found = cell.kind.isDurable ? this.#core.store.load(cell.kind.definition.type, cell.key) : undefined
      if (!(found instanceof Promise)) return this.#install(cell, found)
      this.#resumeAfter(
        cell,
        found,
        (stored) => this.#install(cell, stored),
        (error) => this.#failActivation(cell, error),
      )
    } catch (error) {
      this.#failActivation(cell, asError(error))
    }
    return false
  }

  #install(cell: Cell, stored: StoredActor | undefined): boolean {
    try {
      install(this.#core, this.#timers, cell, stored)
      return true
    } catch (error) {
      this.#failActivation(cell, asError(error))
      return false
    }
  }

  #failActivation(cell: Cell, error: Error): void {
    this.#core.count(Gauge.failed)
    this.#timers.strand(cell)
    cell.internals = undefined
    const waiting = this.#take(cell)
    if (waiting !== undefined) this.#refuseTaken(cell, waiting, error)
    this.#core.ready.add(cell)
  }

  /** Refuses a command that was taken and could not be tried. One that is stored stays in the store for the next start. */
  #refuseTaken(cell: Cell, waiting: Waiting, error: Error): void {
    if (waiting.sequence === 0) refuse(this.#core, cell, waiting.call, error)
    else this.#core.count(Gauge.stranded)
  }

  /** Lets an actor wait for the store. */
  #resumeAfter<T>(cell: Cell, answer: Promise<T>, resume: (value: T) => void, fail: (error: Error) => void): void {
    cell.isWaiting = true
    answer
      .then(resume, (error: unknown) => fail(asError(error)))
      .finally(() => {
        cell.isWaiting = false
        this.#core.ready.add(cell)
        this.#wake()
      })
  }

  #commit(): boolean {
    const core = this.#core
    const { batch, clock } = core
    core.batch = new OpenBatch(batch.id + 1, batch.at)
    this.#send(batch.volatileAnswers.splice(0))
    const startedAt = clock.elapsed()
    try {
      const rows = seal(core, batch)
      const committed = batch.hasWrites ? core.store.commit(rows) : undefined
      if (!(committed instanceof Promise)) {
        this.#settle(batch, startedAt)
        return false
      }
      this.#isCommitting = true
      committed
        .then(
          () => this.#settle(batch, startedAt),
          (error: unknown) => this.#fail(batch, asError(error)),
        )
        .finally(() => {
          this.#isCommitting = false
          this.#wake()
        })
      return true
    } catch (error) {
      this.#fail(batch, asError(error))
      return false
    }
  }

  /** What a successful commit allows: answers, actions, children. */
  #settle(batch: OpenBatch, startedAt: number): void {
    const core = this.#core
    this.#pauseMs = 0
    for (const cell of batch.touched) cell.isDirty = false
    this.#send(batch.answers)
    this.#send(batch.volatileAnswers)
    this.#release(batch, () => true)
    if (batch.timersSet.length > 0 || batch.timersCleared.length > 0) this.#timers.arm()
    if (batch.hasWrites) this.#measure(batch.commands, core.clock.elapsed() - startedAt)
    this.#passivateSpare()
    core.publishGauges()
  }

  #release(batch: OpenBatch, isAllowed: (cell: Cell) => boolean): void {
    for (const cell of batch.starts) if (cell.hosted !== undefined && isAllowed(cell)) cell.kind.host.start(cell.hosted)
    for (const { cell, actions } of batch.releases)
      if (cell.hosted !== undefined && isAllowed(cell)) cell.kind.host.release(cell.hosted, actions)
  }

  #fail(batch: OpenBatch, error: Error): void {
    const core = this.#core
    rollBack(core, this.#timers, batch, error)
    this.#send(batch.answers)
    this.#send(batch.volatileAnswers)
    this.#release(batch, (cell) => !cell.kind.isDurable)
    if (error instanceof Fenced) core.count(Gauge.lateResults, batch.commands)
    if (isPassing(error)) this.#pause()
    else this.#stop(error)
    core.publishGauges()
  }

  /** Waits before the next try to commit, longer each time. */
  #pause(): void {
    this.#pauseMs = Math.min(PAUSE_MS_MAX, Math.max(PAUSE_MS_MIN, this.#pauseMs * 2))
    this.#alarms.get('pause')?.cancel()
    this.#alarms.set(
      'pause',
      this.#core.clock.setTimer(() => {
        this.#alarms.delete('pause')
        this.#timers.arm()
        this.#wake()
      }, this.#pauseMs),
    )
  }

  #flushRefusals(): void {
    this.#send(this.#core.batch.answers.splice(0))
    this.#send(this.#core.batch.volatileAnswers.splice(0))
  }

  /** Stops serving for good: everything that waits is answered with the reason. */
  #stop(error: Error): void {
    this.#fault = error
    const encoded = encodeError(error)
    const answers: FromShardMessage[] = []
    for (const waiting of this.#core.waiting.drain()) {
      waiting.isWithdrawn = true
      if (waiting.call !== 0) answers.push([FromShard.error, waiting.call, encoded])
    }
    this.#stopAlarms()
    this.#send(answers)
  }

  async #shutDown(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#stopAlarms()
    for (const cell of this.#core.residents) forget(this.#timers, cell)
    try {
      await this.#core.store.close()
      this.#send([[FromShard.value, this.#closeCall]])
    } catch (error) {
      this.#send([[FromShard.error, this.#closeCall, encodeError(error)]])
    }
  }

  #passivateIdle(): void {
    if (this.#isCommitting || this.#isPumping) return
    const now = this.#core.clock.elapsed()
    for (const cell of this.#core.residents.idle(now, PASSIVATE_LIMIT)) this.#passivate(cell)
    this.#core.publishGauges()
  }

  #passivateSpare(): void {
    const excess = this.#core.residents.size - this.#core.limits.residentActors
    if (excess <= 0) return
    for (const cell of this.#core.residents.spare(excess)) this.#passivate(cell)
  }

  #passivate(cell: Cell): void {
    forget(this.#timers, cell)
    this.#core.residents.delete(cell)
    this.#core.count(Gauge.passivations)
  }

  async #expireOutcomes(): Promise<void> {
    if (this.#state !== 'open' || this.#fault !== undefined || this.#isCommitting) return
    try {
      const count = await this.#core.store.expireOutcomes(this.#core.clock.wall(), EXPIRE_LIMIT)
      if (count >= EXPIRE_LIMIT) this.#scheduler.soon(() => void this.#expireOutcomes())
    } catch (error) {
      // Expired records are never answered, so this only delays the freeing of space; a commit will meet the same fault.
      this.#core.report(error)
    }
  }

  #measure(commands: number, commitMs: number): void {
    const { gauges } = this.#core
    this.#core.count(Gauge.batches)
    this.#core.count(Gauge.batchedCommands, commands)
    this.#core.count(Gauge.commitMs, commitMs)
    gauges[Gauge.commitMsMax] = Math.max(gauges[Gauge.commitMsMax] ?? 0, commitMs)
  }

  #send(answers: readonly FromShardMessage[]): void {
    if (answers.length > 0) this.#transport.send(encodeFromShard(answers))
  }

  #every(name: string, everyMs: number, action: () => void): void {
    const again = (): void => {
      this.#alarms.set(
        name,
        this.#core.clock.setTimer(() => {
          action()
          if (this.#alarms.has(name)) again()
        }, everyMs),
      )
    }
    again()
  }

  #stopAlarms(): void {
    for (const alarm of this.#alarms.values()) alarm.cancel()
    this.#alarms.clear()
    this.#timers.close()
  }
}

/**
 * Whether a failed commit may be tried again. After an I/O error it may not: what a failed fsync has written is unknown,
 * and going on from either guess could lose or double it. The next open reads what is really there.
 */
function isPassing(error: Error): boolean {
  return error instanceof StoreUnavailable ? error.fault !== 'io' : error instanceof NotSerializable
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

/** How often to look for idle actors: twice within the shortest `idleMs`. */
function sweepMsOf(kinds: readonly Kind[]): number {
  const idleMs = Math.min(...kinds.map(({ definition }) => definition.idleMs))
  return Math.min(5_000, Math.max(10, Math.ceil(idleMs / 2)))
}
