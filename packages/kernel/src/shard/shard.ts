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
import type { Answer, CommitReport, ShardStore, StoredActor, StoredOutcome } from '@bailiwick/store'
import type { ActorDefinition } from '../definition/define-actor.ts'
import type { EffectDefinition } from '../definition/define-effect.ts'
import type { Supervision } from '../definition/supervision.ts'
import { ActivationFailed, asError, encodeError, NotSerializable, ShardCrashed, SystemClosed } from '../errors.ts'
import type { EventLike, Hosted, HostEvents } from '../hosting/host.ts'
import type { TellWish } from '../hosting/wish.ts'
import { XStateHost } from '../hosting/xstate-host.ts'
import { encodeFromShard, FromShard } from '../protocol/from-shard.ts'
import type { FromShardMessage, ShardState } from '../protocol/from-shard.ts'
import { decodeToShard, ToShard } from '../protocol/to-shard.ts'
import type { ToShardMessage } from '../protocol/to-shard.ts'
import { ProcessManager } from '../processes/manager.ts'
import type { Accused, Children, Clock, Poison, Scheduler, Timer, Transport, TurnPlaces } from '../seams/seams.ts'
import { install } from './activation.ts'
import { admit, enter, readmit } from './admission.ts'
import { refuse } from './answers.ts'
import { OpenBatch } from './batch.ts'
import { NOBODY, reservationOf, scopeOf, withdraw } from './calls.ts'
import type { Cell, Internal, Kind, Past, Waiting } from './cell.ts'
import { drop, forget, rollBack, seal } from './commit.ts'
import { ShardCore } from './core.ts'
import type { ChainLink } from './detail.ts'
import { ShardEffects } from './effects.ts'
import { Gauge } from './gauges.ts'
import type { ShardLimits } from './limits.ts'
import { takeOut } from './letters.ts'
import { clearMailbox, giveUp, listKept } from './held.ts'
import { Links } from './links.ts'
import { serveInternal } from './internals.ts'
import { staleLeaseOf } from './lease-fence.ts'
import { LeaseQueue } from './lease-queue.ts'
import { serveControl, withdrawControl } from './lease-service.ts'
import { inherit, lookUpName, recordOf } from './natural.ts'
import { Operators } from './operators.ts'
import { ChildAsks } from './child-asks.ts'
import { Overflow } from './overflow.ts'
import { answerCaller, enqueue, plainError } from './parcels.ts'
import { holderBelow, preempt, preemptOf, rankOf } from './preemption.ts'
import { ProcessNotes } from './process-notes.ts'
import { Reads } from './reads.ts'
import { Schedule } from './schedule.ts'
import { finish, serveCommand, serveDuplicate, serveEdit, serveEvent, serveRead, serveRecorded, serveReserved } from './service.ts'
import { Supervisor } from './supervisor.ts'
import { tap, tapErrorOf } from './tap.ts'
import { ShardTimers } from './timers.ts'
import { TurnRuns } from './turn-runs.ts'
import { advance, serveTurn, wouldTake } from './turn-service.ts'
import { Watches } from './watches.ts'

/** How many commands are served between two looks at the clock. */
const CLOCK_EVERY = 16
const PAUSE_MS_MIN = 10
const PAUSE_MS_MAX = 1_000
const EXPIRE_EVERY_MS = 60_000
const EXPIRE_LIMIT = 1_000
const PASSIVATE_LIMIT = 10_000
/** How many texts are admitted before something is served. */
const TEXTS_MAX = 64
/** How many things are served for one actor before a command of it that interrupts a turn. */
const EXPRESS_MAX = 256
const BATCH_MS_WITH_TURNS = 0.5
/** How many others are served, if they wait, between two batches that only hand sessions over. */
const OTHERS_SHARE = 32
const CLOSE_GRACE_MS = 2_000
/** After a thread has died of something unknown, so many things are served one per batch: as many as may have been in its last one. */
const CAREFUL_SERVES = 4_096

/** What a shard is made of. */
export interface ShardParts {
  readonly store: ShardStore
  readonly transport: Transport
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly definitions: readonly ActorDefinition[]
  readonly effects: readonly EffectDefinition[]
  readonly limits: ShardLimits
  readonly gauges: Float64Array
  /** Position of this shard among all. */
  readonly index: number
  readonly shardCount: number
  /** A number from 0 to 1. */
  readonly random: () => number
  /** Hears of errors that belong to no caller: an action that threw after its commit. */
  readonly report: (error: unknown) => void
  readonly turnPlaces: TurnPlaces
  readonly children: Children
  /** Where the output of processes is kept; `undefined` for nowhere. */
  readonly logFolder: string | undefined
  /** What counts for actors whose definition says nothing else. */
  readonly supervision: Supervision
  readonly poison: readonly Poison[]
  readonly accused: Accused | undefined
  /** Each message is stored before it is served, until it is clear that nothing ends the thread again. */
  readonly isCareful: boolean
  /** Whether it takes over from one that had to stop, in the same thread. */
  readonly isReopened: boolean
  /** It has stopped serving for good, with this error. */
  readonly onStopped: (error: Error) => void
}

/** The parts of a shard as it moves them itself. */
interface ShardOwnParts {
  readonly timers: ShardTimers
  readonly schedule: Schedule
  readonly links: Links
  readonly effects: ShardEffects
  readonly overflow: Overflow
  readonly childAsks: ChildAsks
  readonly turns: TurnRuns
  readonly leaseQueue: LeaseQueue
  readonly supervisor: Supervisor
  readonly watches: Watches
}

/** One shard with its actors. */
export class Shard implements HostEvents<Cell> {
  readonly #core: ShardCore
  readonly #parts: ShardOwnParts
  readonly #transport: Transport
  readonly #scheduler: Scheduler
  readonly #processes: ProcessManager
  readonly #processNotes: ProcessNotes
  readonly #operators: Operators
  readonly #reads: Reads
  readonly #isReopened: boolean
  readonly #accused: Accused | undefined
  readonly #onStopped: (error: Error) => void
  readonly #alarms = new Map<string, Timer>()
  /** Commands that were taken and wait for the store. */
  readonly #lookedUp = new Set<Waiting>()
  #state: 'recovering' | 'open' | 'closing' | 'closed' = 'recovering'
  #fault: Error | undefined
  #isCommitting = false
  #isPumping = false
  #isScheduled = false
  #pauseMs = 0
  #careful: number
  #isDegraded = false
  /** The last batch was committed for the sake of a session. */
  #wasExpress = false
  #closeCall = 0
  /** The asks that have led to the children that are being started. */
  #startedBy: readonly ChainLink[] = NOBODY.chain
  /** What other shards sent while a commit was under way: positions on a link are taken between commits only. */
  readonly #posted: { readonly from: number; readonly text: string }[] = []

  constructor(parts: ShardParts) {
    let made: ShardOwnParts | undefined
    const kinds = parts.definitions.map((definition): Kind => ({
      definition,
      commands: [...definition.commands.values()],
      host: new XStateHost<Cell>(definition.logic, this, parts.clock),
      isDurable: definition.persist !== 'nothing',
      supervision: definition.supervision ?? parts.supervision,
      spareMailboxes: [],
    }))
    const report = (error: unknown): void => {
      parts.report(error)
      this.#send([[FromShard.report, 0, encodeError(error)]])
    }
    const seams = { ...parts, kinds, report, wake: () => this.#wake(), peek: (waiting: Waiting) => this.#reads.peek(waiting) }
    this.#core = new ShardCore(seams, (core) => {
      made = {
        timers: new ShardTimers(core),
        schedule: new Schedule(core),
        links: new Links(core, (peer, text) => this.#send([[FromShard.post, peer, text]])),
        effects: new ShardEffects(core, parts.effects, (name, gate, over) => this.#processes.scope({ address: name, name }, gate, over)),
        overflow: new Overflow(core),
        childAsks: new ChildAsks(core),
        leaseQueue: new LeaseQueue(core, (messages) => this.#send(messages)),
        supervisor: new Supervisor(core, {
          drop: (cell) => drop(core, cell),
          onHeld: (cell) => this.#clear(cell),
          onReleased: (cell) => {
            listKept(core, cell)
            this.#admitWaiting(cell)
          },
        }),
        watches: new Watches(core),
        turns: new TurnRuns(core, {
          places: parts.turnPlaces,
          processes: (cell, name, gate, over) => this.#processes.scope({ address: cell.address, name }, gate, over),
          endSessions: (cell) => this.#processes.endSessions(cell.address),
          send: (messages) => this.#send(messages),
          listen: () => this.#listen(),
        }),
      }
      return made
    })
    if (made === undefined) throw new Error('The core has not made its parts.')
    this.#parts = made
    this.#processNotes = new ProcessNotes(this.#core)
    this.#processes = new ProcessManager({
      clock: parts.clock,
      children: parts.children,
      journal: this.#processNotes,
      logFolder: parts.logFolder,
      newMarker: () => markerOf(this.#core),
      report: parts.report,
    })
    this.#reads = new Reads(this.#core, (messages) => this.#send(messages))
    this.#operators = new Operators(this.#core, { send: (messages) => this.#send(messages), supervisor: made.supervisor })
    for (const { shard, sequence, generation, reason } of parts.poison) {
      if (shard !== parts.index) continue
      if (sequence !== undefined) this.#core.poison.sequences.set(sequence, reason)
      if (generation !== undefined) this.#core.poison.generations.set(generation, reason)
    }
    this.#careful = parts.isCareful ? CAREFUL_SERVES : 0
    this.#isReopened = parts.isReopened
    this.#accused = parts.accused?.shard === parts.index && !parts.isReopened ? parts.accused : undefined
    this.#onStopped = parts.onStopped
    this.#transport = parts.transport
    this.#scheduler = parts.scheduler
  }

  /** Reads what waits, and begins to serve. Rejects with `StoreDamaged` or `StoreUnavailable`. */
  async recover(): Promise<void> {
    const core = this.#core
    const recovery = await core.store.recover(core.clock.wall())
    core.clock.notBefore(recovery.committedAt)
    core.nextActorNumber = recovery.nextActorNumber
    core.nextSequence = recovery.nextInboxSequence
    core.nextTimerGeneration = recovery.nextTimerGeneration
    core.deadLetters = recovery.deadLetters
    core.outboxSize = recovery.outboxSize
    this.#parts.supervisor.restore(recovery.faults)
    this.#accuse()
    for (const row of recovery.inbox) core.count(readmit(core, row) ? Gauge.recovered : Gauge.stranded)
    this.#parts.timers.arm()
    this.#parts.schedule.arm()
    this.#parts.effects.arm()
    for (const link of recovery.links) await this.#parts.links.restore(link)
    // What an earlier life has left running is ended before anything is started in its place.
    await this.#processes.reap(recovery.processes)
    for (const { type, key } of recovery.busy) this.#resumeTurns(type, key)
    if (this.#state !== 'recovering') return
    this.#state = 'open'
    this.#every('idle', sweepMsOf(core.kinds), () => this.#passivateIdle())
    this.#every('expire', EXPIRE_EVERY_MS, () => {
      this.#parts.supervisor.sweep()
      void this.#expireOutcomes()
    })
    this.#transport.onText((text) => this.#receive(text))
    this.#say({ kind: this.#isReopened ? 'reopened' : 'ready' })
    this.#publish()
    this.#wake()
  }

  /** Gives its store up, after it has stopped, so that another can be opened on the same files. It goes on refusing what comes. */
  retire(): void {
    void this.#core.store.close()
  }

  /** Holds the death of the thread before against the actor that it served. */
  #accuse(): void {
    if (this.#accused === undefined) return
    const { actor, command, reason } = this.#accused
    const slash = actor.indexOf('/')
    const kind = this.#core.kinds.find(({ definition }) => definition.type === actor.slice(0, slash))
    if (kind === undefined) return
    const cell = this.#core.cellOf(kind, actor.slice(slash + 1))
    this.#parts.supervisor.failed(cell, { error: new ShardCrashed(reason), because: command, isOwn: false, isDeath: true })
  }

  /** Stops at once and forgets everything that is not committed, as a crash would. */
  kill(): void {
    this.#state = 'closed'
    this.#stopAlarms()
    this.#parts.effects.close()
    this.#parts.turns.kill()
    this.#processes.kill()
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

  ask(cell: Cell, wish: TellWish, timeoutMs: number | undefined, signal: AbortSignal): Promise<unknown> {
    return this.#parts.childAsks.ask(cell, this.#startedBy, wish, timeoutMs, signal)
  }

  actionFailed(_cell: Cell, error: unknown): void {
    this.#core.count(Gauge.actionFailures)
    this.#core.report(error)
  }

  /** Brings an actor into memory whose turns have not ended. */
  #resumeTurns(type: string, key: string): void {
    const core = this.#core
    const kind = core.kindOf(type)
    if (kind === undefined) {
      core.count(Gauge.stranded)
      return
    }
    const cell = core.cellOf(kind, key)
    cell.pushInternal({ tag: 'turn', news: { kind: 'recover' } })
    core.ready.add(cell)
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
        this.#park()
        return
      case ToShard.park:
        this.#park()
        return
      case ToShard.unfollow:
        for (const [address, calls] of this.#core.followers)
          if (calls.delete(message[1]) && calls.size === 0) this.#core.followers.delete(address)
        return
      case ToShard.post:
        if (this.#isCommitting) this.#posted.push({ from: message[1], text: message[2] })
        else if (this.#fault === undefined) this.#parts.links.receive(message[1], message[2])
        return
      case ToShard.peerStarted:
        this.#parts.links.resend(message[1])
        return
      case ToShard.listLetters:
      case ToShard.replayLetters:
      case ToShard.discardLetters:
        if (this.#fault === undefined) this.#operators.letters(message)
        else this.#operators.fail(message[1], this.#fault)
        return
      case ToShard.holds:
        if (this.#fault === undefined) this.#operators.holds(message)
        else this.#operators.fail(message[1], this.#fault)
        return
      case ToShard.compact:
        if (this.#fault === undefined) this.#operators.compact(message[1])
        else this.#operators.fail(message[1], this.#fault)
        return
      case ToShard.tap:
        this.#core.isTapped = message[1]
        return
      case ToShard.withdraw:
        withdraw(this.#core, message[1])
        this.#parts.leaseQueue.withdraw(message[1])
        withdrawControl(this.#core, message[1])
        return
      case ToShard.ask:
      case ToShard.tell:
      case ToShard.snapshot:
      case ToShard.follow:
      case ToShard.timers:
      case ToShard.turns:
      case ToShard.lateResults:
      case ToShard.control:
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
    const isWhole = this.#poll()
    const isCommitting = this.#serveBatch()
    this.#isPumping = false
    if (isCommitting) return
    if (this.#operators.isAwaited) {
      this.#rest()
      return
    }
    if (!isWhole) this.#wake()
    if (this.#state === 'closing' && this.#parts.turns.running === 0) void this.#shutDown()
    // One that has stopped serves nothing any more, whatever is left.
    else if (this.#fault === undefined && (!this.#core.ready.isEmpty || this.#isDegraded) && !this.#alarms.has('pause')) this.#wake()
  }

  /** Lets operators have the store to themselves for a while. */
  #rest(): void {
    this.#isCommitting = true
    void this.#operators.betweenBatches().finally(() => {
      this.#isCommitting = false
      this.#takePosted()
      this.#wake()
    })
  }

  /** Takes what has arrived: everything urgent, and as much of the rest as does not hold up what is urgent. False if some is left. */
  #poll(): boolean {
    this.#pollUrgent()
    for (let count = 0; count < TEXTS_MAX; count += 1) {
      const text = this.#transport.poll()
      if (text === undefined) return true
      this.#admitText(text)
      if (this.#pollUrgent()) return false
    }
    return false
  }

  /** Takes everything urgent that has arrived. Answers whether there was any. */
  #pollUrgent(): boolean {
    let text = this.#transport.pollUrgent()
    if (text === undefined) return false
    for (; text !== undefined; text = this.#transport.pollUrgent()) this.#admitText(text)
    return true
  }

  /** Serves what is urgent on behalf of a turn that does not yield. */
  #listen(): void {
    if (this.#isPumping || this.#isCommitting || this.#state === 'closed' || this.#state === 'recovering') return
    if (this.#pollUrgent() || this.#core.express.length > 0) this.#pump()
  }

  /** Lets running turns come to a boundary; those who wait for turns hear that the system closes. */
  #park(): void {
    const core = this.#core
    this.#parts.turns.park()
    const error = encodeError(new SystemClosed(true))
    const answers: FromShardMessage[] = []
    for (const [sequence, awaiting] of core.awaiting) {
      if (awaiting[0]?.isForTurn !== true) continue
      core.awaiting.delete(sequence)
      for (const { call } of awaiting) answers.push([FromShard.error, call, error])
    }
    for (const call of this.#parts.leaseQueue.drain()) answers.push([FromShard.error, call, error])
    this.#send(answers)
    this.#wake()
  }

  /** Fills and commits a batch. True if the commit takes its time. */
  #serveBatch(): boolean {
    if (this.#alarms.has('pause') || this.#fault !== undefined) {
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
    // While turns run, somebody may want to interrupt one: what is committed in one go stays small.
    const until = clock.elapsed() + (core.turns.running > 0 ? Math.min(limits.batchMs, BATCH_MS_WITH_TURNS) : limits.batchMs)
    for (let count = 1; batch.commands < limits.batchCommands; count += 1) {
      this.#pollUrgent()
      if (this.#careful > 0 && count > 1) return
      // A signal waits for the commit of its intent, and nothing else. Between two such commits the others get their share.
      const isOthersTurn = this.#wasExpress && count <= OTHERS_SHARE && !core.ready.isEmpty
      if (!isOthersTurn && this.#serveExpress()) {
        this.#wasExpress = true
        return
      }
      const cell = core.ready.shift()
      if (cell === undefined) break
      if (this.#careful > 0) {
        // What is not stored yet has no name if it ends the thread: its batch goes first.
        if (isUnstored(cell)) {
          core.ready.add(cell)
          return
        }
        this.#careful -= 1
      }
      this.#serve(cell)
      if (count % CLOCK_EVERY === 0 && clock.elapsed() > until) break
    }
    this.#wasExpress = false
  }

  /** Serves the commands that interrupt turns, whatever else waits. Answers whether there were any. */
  #serveExpress(): boolean {
    const { express } = this.#core
    if (express.length === 0) return false
    for (const { cell, waiting } of express.splice(0)) {
      // What is before it in its own lane goes first.
      const isLeft = (): boolean => (waiting === undefined ? (cell.internals?.size ?? 0) > 0 : !waiting.isServed && !waiting.isWithdrawn)
      for (let count = 0; count < EXPRESS_MAX && isLeft() && cell.isServable; count += 1) this.#serve(cell)
    }
    return true
  }

  /** Serves one thing that waits for an actor. */
  #serve(cell: Cell): void {
    const core = this.#core
    if (!cell.isServable) return
    if (cell.hosted === undefined) {
      if (this.#isPoisoned(cell)) return
      // What activating does may end the thread as well.
      markHead(core, cell)
      if (!this.#activate(cell)) core.unmark()
    }
    if (cell.hosted === undefined) return
    const internal = cell.suspended === undefined ? cell.internals?.shift() : undefined
    if (internal === undefined) this.#serveWaiting(cell)
    else {
      core.mark(0, 0, internal.tag === 'tick' ? internal.timer.generation : 0)
      serveInternal(core, cell, cell.hosted, internal)
    }
    // One that has failed does nothing more before it is restarted.
    if (cell.session !== undefined && !cell.isResting) advance(core, cell, cell.hosted)
    core.unmark()
    this.#admitWaiting(cell)
    cell.closeMailbox()
    core.residents.touch(cell, core.clock.elapsed())
    core.ready.add(cell)
  }

  /** Whether the first command that waits for an actor has ended a thread; then it is given up before the actor is touched. */
  #isPoisoned(cell: Cell): boolean {
    const core = this.#core
    const { sequences } = core.poison
    const head = sequences.size === 0 || cell.suspended !== undefined ? undefined : cell.mailbox?.peek()
    const reason = head === undefined ? undefined : sequences.get(head.sequence)
    if (reason === undefined || (cell.internals?.size ?? 0) > 0) return false
    const waiting = this.#take(cell)
    // The rule of the lanes may have chosen another one: that one has done nothing.
    if (waiting !== undefined && waiting === head) this.#giveUpPoison(cell, waiting, reason)
    else if (waiting !== undefined) {
      waiting.isServed = false
      cell.openMailbox().putBack(waiting.lane, waiting)
      core.waiting.add(waiting)
    }
    core.ready.add(cell)
    return waiting === head
  }

  /** Keeps what has ended a thread as a dead letter; the actor has failed. */
  #giveUpPoison(cell: Cell, waiting: Waiting, reason: string): void {
    const error = new ShardCrashed(reason)
    const because = waiting.command?.name ?? 'an event'
    this.#core.batch.touch(cell)
    giveUp(this.#core, cell, waiting, error)
    this.#parts.supervisor.failed(cell, { error, because, isOwn: false, isDeath: true })
  }

  /** Gives places that have become free to those who wait for one. */
  #admitWaiting(cell: Cell): void {
    if (cell.overflow === undefined && !this.#parts.overflow.isShardAwaited) return
    this.#parts.overflow.admit(cell, (waiting) => this.#enter(waiting))
  }

  #enter(waiting: Waiting): void {
    const refusal = waiting.cell.isHeld ? this.#parts.supervisor.refusalOf(waiting.cell) : undefined
    if (refusal === undefined || (waiting.tag !== 'ask' && refusal.code === 'ACTOR_QUARANTINED')) {
      enter(this.#core, waiting)
      return
    }
    waiting.isWithdrawn = true
    refuse(this.#core, waiting.cell, waiting.call, refusal)
  }

  #serveWaiting(cell: Cell): void {
    const core = this.#core
    const { suspended, hosted } = cell
    const waiting = suspended?.waiting ?? this.#take(cell)
    if (suspended !== undefined) this.#lookedUp.delete(suspended.waiting)
    cell.suspended = undefined
    // One that was suspended may have been withdrawn meanwhile.
    if (waiting === undefined || hosted === undefined || waiting.isWithdrawn) return
    core.batch.commands += 1
    core.mark(waiting.call, waiting.sequence, 0)
    const poison = core.poison.sequences.size === 0 ? undefined : core.poison.sequences.get(waiting.sequence)
    if (poison !== undefined) {
      this.#giveUpPoison(cell, waiting, poison)
      return
    }
    if (waiting.tag === 'event') {
      serveEvent(core, cell, hosted, waiting)
      return
    }
    if (waiting.tag === 'control') {
      serveControl(core, cell, hosted, waiting)
      return
    }
    if (waiting.command === undefined) {
      serveRead(core, cell, hosted, waiting)
      return
    }
    const isPlain = waiting.command.turn === undefined && waiting.command.preempt === 'none'
    if (isPlain && waiting.idempotency === undefined && waiting.detail === undefined) {
      serveCommand(core, cell, hosted, waiting)
      return
    }
    const reservation = reservationOf(cell, waiting)
    if (reservation !== undefined) {
      serveReserved(core, cell, waiting, reservation)
      return
    }
    if (serveEdit(core, cell, waiting)) return
    const past = suspended === undefined ? this.#lookUp(cell, waiting) : suspended.past
    if (past !== 'later') this.#servePast(cell, hosted, waiting, past)
  }

  /** Serves a command whose keys and names have been looked up. */
  #servePast(cell: Cell, hosted: Hosted, waiting: Waiting, past: Past): void {
    const core = this.#core
    if (past?.kind === 'recorded') {
      serveRecorded(core, cell, waiting, past.outcome)
      return
    }
    if (past?.kind === 'duplicate') {
      serveDuplicate(core, cell, waiting)
      return
    }
    if (past?.kind === 'supersedes') {
      takeOut(core, past.letter)
      inherit(core, waiting, past.deliveries)
    }
    if (this.#isForSession(cell, waiting)) serveTurn(core, cell, hosted, waiting)
    else serveCommand(core, cell, hosted, waiting)
  }

  /** Whether a command is a turn, or waits until the turn that it interrupts has come to a boundary. */
  #isForSession(cell: Cell, waiting: Waiting): boolean {
    const { command } = waiting
    if (command === undefined || command.kind === 'query') return false
    if (command.turn !== undefined) return true
    const mode = preemptOf(waiting)
    if (mode === 'none' || cell.session === undefined) return false
    // What is refused, or what the present state does not take, interrupts nobody: it is served, and refused, as it is.
    if (staleLeaseOf(this.#core, cell, command.name, waiting.detail?.lease) !== undefined || !wouldTake(cell, waiting)) return false
    const rank = rankOf(cell, waiting)
    if (holderBelow(cell.session, rank) !== undefined) return true
    // There is nobody to wait for; an abort may still be meant for what is parked.
    preempt(this.#core, cell, cell.session, { mode, rank, by: { command: command.name } })
    return false
  }

  #take(cell: Cell): Waiting | undefined {
    const waiting = cell.mailbox?.shift()
    if (waiting === undefined || waiting.isWithdrawn) return undefined
    this.#core.waiting.remove(waiting)
    waiting.isServed = true
    return waiting
  }

  /** What is known of a command's key and names, from the batch or the store; `later` if the store takes its time or fails. */
  #lookUp(cell: Cell, waiting: Waiting): Past | 'later' {
    try {
      const found = pastOf(this.#core, cell, waiting)
      if (!(found instanceof Promise)) return found
      this.#lookedUp.add(waiting)
      this.#resumeAfter(
        cell,
        found,
        (past) => this.#suspend(cell, waiting, past),
        (error) => {
          if (this.#lookedUp.delete(waiting)) this.#refuseTaken(cell, waiting, error)
        },
      )
    } catch (error) {
      this.#refuseTaken(cell, waiting, asError(error))
    }
    return 'later'
  }

  /** Lets a command go on that had to wait for the store, unless its actor is held back or the shard has stopped by now. */
  #suspend(cell: Cell, waiting: Waiting, past: Past): void {
    // The shard has stopped, and has answered it.
    if (!this.#lookedUp.has(waiting)) return
    cell.suspended = { waiting, past }
    if (cell.isHeld && this.#parts.supervisor.refusalOf(cell) !== undefined) this.#clear(cell)
  }

  /** Brings an actor into memory. False if that has to wait or failed; then the command that wanted it has its answer. */
  #activate(cell: Cell): boolean {
    try {
      const found = cell.kind.isDurable ? this.#core.store.load(cell.kind.definition.storedAs, cell.key) : undefined
      if (!(found instanceof Promise)) return this.#install(cell, found)
      this.#resumeAfter(
        cell,
        found,
        (stored) => {
          // It may have been held back, or have failed, while it was read.
          if (cell.hosted === undefined && !cell.isHeld && !cell.isResting) this.#install(cell, stored)
        },
        (error) => this.#failActivation(cell, error),
      )
    } catch (error) {
      this.#failActivation(cell, asError(error))
    }
    return false
  }

  #install(cell: Cell, stored: StoredActor | undefined): boolean {
    try {
      install(this.#core, cell, stored)
      return true
    } catch (error) {
      this.#failActivation(cell, asError(error))
      return false
    }
  }

  #failActivation(cell: Cell, error: Error): void {
    this.#core.count(Gauge.failed)
    this.#parts.timers.strand(cell)
    this.#keepNews(cell)
    cell.internals = undefined
    const waiting = this.#take(cell)
    if (error instanceof ActivationFailed) {
      this.#parts.supervisor.failed(cell, { error, because: waiting?.command?.name ?? 'activation', isOwn: waiting === undefined })
    }
    if (waiting !== undefined) this.#refuseTaken(cell, waiting, error)
    this.#admitWaiting(cell)
    this.#core.ready.add(cell)
  }

  /** News of turns wait until their actor can be brought into memory: nothing else knows of them. */
  #keepNews(cell: Cell): void {
    const news: Internal[] = []
    for (let internal = cell.internals?.shift(); internal !== undefined; internal = cell.internals?.shift()) {
      if (internal.tag === 'turn') news.push(internal)
    }
    if (news.length === 0) return
    this.#core.clock.setTimer(() => {
      if (this.#state === 'closed' || this.#fault !== undefined) return
      const here = this.#core.cellOf(cell.kind, cell.key)
      for (const internal of news) here.pushInternal(internal)
      this.#core.ready.add(here)
      this.#wake()
    }, PAUSE_MS_MAX)
  }

  /** Refuses a command that was taken and could not be tried. One that nobody waits for stays in the store for the next start. */
  #refuseTaken(cell: Cell, waiting: Waiting, error: Error): void {
    const core = this.#core
    const caller = waiting.detail?.caller
    if (waiting.call !== 0) {
      waiting.isWithdrawn = true
      refuse(core, cell, waiting.call, error)
    } else if (caller === undefined) {
      // Nothing is settled: if it is not stored yet, its batch stores it.
      core.count(cell.kind.isDurable ? Gauge.stranded : Gauge.lostTells)
    } else {
      finish(core, waiting)
      answerCaller(core, caller, { error: plainError(error) })
    }
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
    const { clock } = core
    const batch = core.nextBatch()
    this.#send(batch.volatileAnswers.splice(0))
    const startedAt = clock.elapsed()
    try {
      const rows = seal(core, batch)
      // A shard that could not write tries again, even if there is nothing to write: only that shows that it can.
      const isProbe = this.#isDegraded && batch.commands === 0
      const committed = batch.hasWrites || isProbe ? core.store.commit(rows) : undefined
      if (!(committed instanceof Promise)) {
        this.#settle(batch, startedAt, committed)
        return false
      }
      this.#isCommitting = true
      core.committing = batch
      committed
        .then(
          (report) => {
            core.committing = undefined
            this.#settle(batch, startedAt, report)
          },
          (error: unknown) => {
            core.committing = undefined
            this.#fail(batch, asError(error))
          },
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
  #settle(batch: OpenBatch, startedAt: number, report: CommitReport | undefined): void {
    const core = this.#core
    this.#pauseMs = 0
    if (this.#isDegraded && report !== undefined) {
      this.#isDegraded = false
      this.#say({ kind: 'ready' })
    }
    for (const cell of batch.touched) cell.isDirty = false
    // Signals fire before anything else: somebody waits for the session.
    this.#parts.turns.committed(batch)
    for (const { done } of batch.processNotes) done(undefined)
    this.#settleCounts(batch, report)
    // Whoever has an answer sees its trace in the counters.
    this.#publish()
    this.#send(batch.answers)
    this.#send(batch.volatileAnswers)
    this.#release(batch, () => true)
    if (batch.timersSet.length > 0 || batch.timersCleared.length > 0) this.#parts.timers.arm()
    this.#parts.schedule.settled(batch.accepted, batch.finished)
    this.#parts.links.settled(batch)
    this.#parts.effects.settled(batch)
    this.#parts.childAsks.settled(batch.childAnswers)
    this.#parts.supervisor.settled(batch)
    for (const waiting of batch.toVolatile) this.#deliverVolatile(waiting)
    for (const waiting of batch.timerReads) this.#reads.timers(waiting)
    for (const waiting of batch.turnReads) this.#reads.turns(waiting)
    this.#takePosted()
    const commitMs = core.clock.elapsed() - startedAt
    if (batch.hasWrites) this.#measure(batch.commands, commitMs)
    if (core.isTapped) this.#tellBatch(batch, commitMs)
    this.#passivateSpare()
    this.#publish()
  }

  #deliverVolatile(waiting: Waiting): void {
    const { cell } = waiting
    const refusal = cell.isHeld ? this.#parts.supervisor.refusalOf(cell) : undefined
    if (refusal?.code === 'ACTOR_STOPPED') giveUp(this.#core, cell, waiting, refusal)
    else enqueue(this.#core, waiting)
  }

  /** Deals with what waits for an actor that is held back, and with those who wait for a place or a lease. */
  #clear(cell: Cell): void {
    const held = this.#parts.supervisor.heldOf(cell.kind, cell.key)
    if (held === undefined) return
    if (cell.suspended !== undefined) this.#lookedUp.delete(cell.suspended.waiting)
    const refusal = this.#parts.supervisor.refusalOf(cell)
    for (const call of this.#parts.leaseQueue.drainOf(cell)) if (refusal !== undefined) refuse(this.#core, cell, call, refusal)
    if (refusal !== undefined) this.#parts.overflow.refuseAsks(cell, refusal)
    clearMailbox(this.#core, cell, held)
    this.#admitWaiting(cell)
    this.#core.wake()
  }

  /** Keeps the counts of what the store holds in step with what was committed. */
  #settleCounts(batch: OpenBatch, report: CommitReport | undefined): void {
    const core = this.#core
    core.count(Gauge.preemptions, batch.preemptions)
    this.#parts.effects.countEnds(batch)
    core.deadLetters += batch.deadLetters.length - batch.deadLettersRemoved.length - batch.deadLettersTrimmed
    core.count(Gauge.deadLettersLost, batch.deadLettersTrimmed)
    for (const sequence of batch.deadLettersRemoved) core.leavingLetters.delete(sequence)
    core.outboxSize += batch.outbox.length + batch.effects.length - batch.effectsSettled.length - (report?.effectsCancelled ?? 0)
  }

  /** Takes what other shards sent during a commit. */
  #takePosted(): void {
    for (const { from, text } of this.#posted.splice(0)) this.#parts.links.receive(from, text)
  }

  #release(batch: OpenBatch, isAllowed: (cell: Cell) => boolean): void {
    // An actor that came into memory with this batch starts the children of its steps too.
    const chains = batch.starts.length === 0 ? undefined : new Map(batch.releases.map(({ cell, chain }) => [cell, chain]))
    for (const cell of batch.starts) {
      if (cell.hosted === undefined || !isAllowed(cell)) continue
      this.#startedBy = chains?.get(cell) ?? NOBODY.chain
      cell.kind.host.start(cell.hosted)
    }
    for (const { cell, actions, chain } of batch.releases) {
      if (cell.hosted === undefined || !isAllowed(cell)) continue
      this.#startedBy = chain
      cell.kind.host.release(cell.hosted, actions)
    }
    this.#startedBy = NOBODY.chain
  }

  #fail(batch: OpenBatch, error: Error): void {
    const core = this.#core
    // From here on nothing is committed, whatever the way back brings up.
    if (!isPassing(error)) this.#fault = error
    rollBack(core, batch, error)
    this.#send(batch.answers)
    this.#send(batch.volatileAnswers)
    this.#release(batch, (cell) => !cell.kind.isDurable)
    if (error instanceof Fenced) core.count(Gauge.lateResults, batch.commands)
    if (core.isTapped)
      this.#send([[FromShard.tap, batch.at, [{ kind: 'batch.failed', commands: batch.commands, error: tapErrorOf(error) }], core.life]])
    if (isPassing(error)) this.#pause(error)
    else this.#stop(error)
    this.#takePosted()
    this.#publish()
  }

  /** Waits before the next try to commit, longer each time. */
  #pause(error: Error): void {
    if (!this.#isDegraded && error instanceof StoreUnavailable) {
      this.#isDegraded = true
      this.#say({ kind: 'degraded', error: encodeError(error) })
    }
    this.#pauseMs = Math.min(PAUSE_MS_MAX, Math.max(PAUSE_MS_MIN, this.#pauseMs * 2))
    this.#alarms.get('pause')?.cancel()
    this.#alarms.set(
      'pause',
      this.#core.clock.setTimer(() => {
        this.#alarms.delete('pause')
        this.#parts.timers.arm()
        this.#parts.effects.arm()
        this.#wake()
      }, this.#pauseMs),
    )
  }

  /** While nothing is committed, only what is refused may be said. */
  #flushRefusals(): void {
    const { batch } = this.#core
    const answers = batch.answers.splice(0)
    for (const kept of answers) if (kept[0] !== FromShard.error) batch.answers.push(kept)
    this.#send(answers.filter(([tag]) => tag === FromShard.error))
    this.#send(batch.volatileAnswers.splice(0))
  }

  /** Stops serving for good: everything that waits is answered with the reason. */
  #stop(error: Error): void {
    this.#fault = error
    const encoded = encodeError(error)
    const answers: FromShardMessage[] = []
    const taken = [...this.#lookedUp]
    this.#lookedUp.clear()
    for (const waiting of [...this.#core.waiting.drain(), ...this.#parts.overflow.drain(), ...taken]) {
      waiting.isWithdrawn = true
      if (waiting.call !== 0) answers.push([FromShard.error, waiting.call, encoded])
    }
    for (const awaiting of this.#core.awaiting.values()) {
      for (const { call } of awaiting) answers.push([FromShard.error, call, encoded])
    }
    this.#core.awaiting.clear()
    for (const call of this.#parts.leaseQueue.drain()) answers.push([FromShard.error, call, encoded])
    for (const calls of this.#core.followers.values()) for (const call of calls) answers.push([FromShard.error, call, encoded])
    this.#core.followers.clear()
    this.#parts.effects.close()
    this.#parts.turns.kill()
    this.#processes.kill()
    this.#stopAlarms()
    // What the open batch holds will not be committed any more.
    const open = this.#core.nextBatch()
    rollBack(this.#core, open, error)
    for (const answer of open.answers) answers.push(answer)
    for (const answer of open.volatileAnswers) answers.push(answer)
    this.#send(answers)
    this.#onStopped(error)
  }

  async #shutDown(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#stopAlarms()
    this.#parts.effects.close()
    this.#processNotes.close()
    try {
      await this.#processes.close(CLOSE_GRACE_MS)
      await this.#commitRest()
      for (const cell of this.#core.residents) forget(this.#core, cell)
      await this.#core.store.close()
      this.#send([[FromShard.value, this.#closeCall]])
    } catch (error) {
      this.#send([[FromShard.error, this.#closeCall, encodeError(error)]])
    }
  }

  /** Commits what closing has led to: that processes are gone. What of it is lost is found out at the next start. */
  async #commitRest(): Promise<void> {
    const { limits, clock, store } = this.#core
    const { id, processesEnded } = this.#core.nextBatch()
    if (processesEnded.length === 0 || this.#fault !== undefined) return
    const rest = new OpenBatch(id, clock.wall(), limits)
    rest.processesEnded.push(...processesEnded)
    try {
      await store.commit(rest)
    } catch (error) {
      this.#core.report(error)
    }
  }

  #passivateIdle(): void {
    if (this.#isCommitting || this.#isPumping) return
    const now = this.#core.clock.elapsed()
    for (const cell of this.#core.residents.idle(now, PASSIVATE_LIMIT)) this.#passivate(cell)
    this.#publish()
  }

  #passivateSpare(): void {
    const excess = this.#core.residents.size - this.#core.limits.residentActors
    if (excess <= 0) return
    for (const cell of this.#core.residents.spare(excess)) this.#passivate(cell)
  }

  #passivate(cell: Cell): void {
    tap(this.#core, { kind: 'actor.passivated', actor: cell.address })
    forget(this.#core, cell)
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

  #publish(): void {
    const core = this.#core
    core.publishGauges()
    core.gauges[Gauge.processes] = this.#processes.running
  }

  #measure(commands: number, commitMs: number): void {
    const { gauges } = this.#core
    this.#core.count(Gauge.batches)
    this.#core.count(Gauge.batchedCommands, commands)
    this.#core.count(Gauge.commitMs, commitMs)
    gauges[Gauge.commitMsMax] = Math.max(gauges[Gauge.commitMsMax] ?? 0, commitMs)
  }

  /** Says how the shard is. */
  #say(state: ShardState): void {
    this.#send([[FromShard.state, 0, state]])
  }

  /** Tells the tap what a batch has done. */
  #tellBatch(batch: OpenBatch, commitMs: number): void {
    if (batch.hasWrites) {
      const { commands, accepted, finished, created, changed } = batch
      const counts = { accepted: accepted.length, finished: finished.length, actors: created.length + changed.length }
      batch.taps.push({ kind: 'batch.committed', commands, ...counts, commitMs })
    }
    if (batch.tapsLost > 0) batch.taps.push({ kind: 'tap.lost', count: batch.tapsLost })
    if (batch.taps.length > 0) this.#send([[FromShard.tap, batch.at, batch.taps, this.#core.life]])
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
    const { timers, schedule, overflow, childAsks, supervisor } = this.#parts
    supervisor.close()
    timers.close()
    schedule.close()
    overflow.close()
    childAsks.close()
  }
}

/**
 * Whether a failed commit may be tried again. After an I/O error, or without the files, it may not: what a failed fsync has written is unknown,
 * and going on from either guess could lose or double it. The next open reads what is really there.
 */
function isPassing(error: Error): boolean {
  return error instanceof StoreUnavailable ? error.retryable : error instanceof NotSerializable
}

/** Whether what an actor would be served next is a message that the open batch has yet to store. */
function isUnstored(cell: Cell): boolean {
  if (!cell.kind.isDurable || cell.suspended !== undefined || (cell.internals?.size ?? 0) > 0) return false
  const head = cell.mailbox?.peek()
  return head !== undefined && (head.tag === 'tell' || head.tag === 'event') && head.sequence === 0 && !head.isWithdrawn
}

/** Notes what an actor is to be brought into memory for. */
function markHead(core: ShardCore, cell: Cell): void {
  const internal = cell.internals?.peek()
  const waiting = internal === undefined ? (cell.suspended?.waiting ?? cell.mailbox?.peek()) : undefined
  core.mark(waiting?.call ?? 0, waiting?.sequence ?? 0, internal?.tag === 'tick' ? internal.timer.generation : 0)
}

/** What tells a process of this shard from all others on the machine, of all times. */
function markerOf({ index, store, clock, random }: ShardCore): string {
  return [index, store.epoch, clock.wall(), Math.floor(random() * Number.MAX_SAFE_INTEGER)].map((part) => part.toString(36)).join('-')
}

/** Looks the key and the names of a command up. */
function pastOf(core: ShardCore, cell: Cell, waiting: Waiting): Answer<Past> {
  const { idempotency, command } = waiting
  const record = idempotency === undefined ? undefined : recordOf(core, scopeOf(cell, command?.name ?? ''), idempotency.key)
  const judge = (outcome: StoredOutcome | undefined): Answer<Past> =>
    outcome === undefined ? lookUpName(core, waiting) : { kind: 'recorded', outcome }
  return record instanceof Promise ? record.then(judge) : judge(record)
}

/** How often to look for idle actors: twice within the shortest `idleMs`. */
function sweepMsOf(kinds: readonly Kind[]): number {
  const idleMs = Math.min(...kinds.map(({ definition }) => definition.idleMs))
  return Math.min(5_000, Math.max(10, Math.ceil(idleMs / 2)))
}
