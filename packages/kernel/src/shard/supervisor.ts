/**
 * Supervision: what follows when an actor fails.
 *
 * | what happens | what follows |
 * |---|---|
 * | a command, event or activation fails | it had no effect; the failure is noted, and the actor restarted: dropped from memory with its children, and read again from its last commit. Its mailbox stays |
 * | … of an actor without a store | the failure is noted; there is nothing to go back to |
 * | … within the back-off of the one before | the actor serves nothing until the back-off is over |
 * | more failures within the window than its definition allows | the actor is held back: quarantined or stopped |
 * | an actor of a group is restarted or held back | those that its strategy names are, too |
 * | a quarantined actor gets an ask / a tell / a tick | refused / kept until it is released / kept |
 * | a stopped actor gets an ask or tell / a message / a tick | refused / answered or kept as a dead letter / kept until it is released |
 * | threads die of an actor twice within a minute | it is held back, whatever its definition allows |
 * | it is released | its failures are forgotten and it goes on, from its last commit |
 *
 * A failure is part of the batch in which it happened, and so is what follows from it: a commit that fails takes it back,
 * and what failed is tried again.
 */
import type { FaultChanged, StoredFault } from '@bailiwick/store'
import { waitAfter } from '../definition/backoff.ts'
import { withinWindow } from '../definition/supervision.ts'
import { addressOf } from '../definition/key.ts'
import { encodeError, messageOf } from '../errors.ts'
import type { ActorQuarantined, ActorStopped } from '../errors.ts'
import type { HoldFilter } from '../protocol/to-shard.ts'
import type { Timer } from '../seams/seams.ts'
import type { OpenBatch } from './batch.ts'
import type { Cell, Kind } from './cell.ts'
import type { ShardCore } from './core.ts'
import type { Parcel } from './detail.ts'
import { decodeFault, encodeFault, errorOf } from './fault.ts'
import type { Fault, Held, HeldView } from './fault.ts'
import { Gauge } from './gauges.ts'
import { decodeOpenCalls } from './open-call.ts'
import { deliver } from './parcels.ts'
import type { SupervisorPart } from './parts.ts'
import { tap } from './tap.ts'

/** An actor's own doing is repeated by nobody else, so that it needs a brake of its own. */
const OWN_BACKOFF_MS = 100
/** How many failures of an actor are remembered at most: where there is no limit, only the back-off looks at them. */
const FAILURES_MAX = 32
const FAULTS_SWEPT_FROM = 1_000
/** An actor whose commands end threads is held back after so many of them within this time, whatever its definition allows: the others on its shard need their thread. */
const DEATHS_MAX = 1
const DEATHS_WITHIN_MS = 60_000
/** How long after a failed commit what waits for a held actor is dealt with once more. */
const CLEAR_AGAIN_MS = 100

const UNHARMED: Pick<Fault, 'failures' | 'deaths'> = { failures: [], deaths: [] }

/** What has failed. */
export interface Failure {
  readonly error: unknown
  /** The command or event. */
  readonly because: string
  /** Nobody asked for it: a timer, a child, an effect's end. */
  readonly isOwn: boolean
  /** The thread has died of it, with all that was on it. */
  readonly isDeath?: true
}

/** What the shard does for its supervisor. */
export interface SupervisorHooks {
  /** Drops an actor from memory, so that it is read again; what it has not heard of its turns is kept. */
  readonly drop: (cell: Cell) => void
  /** Deals with what waits for an actor that is held from now on. May be called again. */
  readonly onHeld: (cell: Cell, held: Held) => void
  /** Lets what was kept for an actor wait to be served. */
  readonly onReleased: (cell: Cell) => void
}

/** The supervision of one shard's actors. */
export class Supervisor implements SupervisorPart {
  readonly #core: ShardCore
  readonly #drop: SupervisorHooks['drop']
  readonly #onHeld: SupervisorHooks['onHeld']
  readonly #onReleased: SupervisorHooks['onReleased']
  readonly #faults = new Map<string, Fault>()
  readonly #pauses = new Map<Cell, Timer>()
  #held = 0
  #sweepAt = FAULTS_SWEPT_FROM

  constructor(core: ShardCore, { drop, onHeld, onReleased }: SupervisorHooks) {
    this.#core = core
    this.#drop = drop
    this.#onHeld = onHeld
    this.#onReleased = onReleased
  }

  /** Takes over what an earlier life knew. */
  restore(rows: readonly StoredFault[]): void {
    for (const row of rows) {
      const fault = decodeFault(row)
      this.#set(addressOf(row.type, row.key), fault)
      // It may be that an earlier life had no time to tell those who watch.
      const kind = this.#core.kindOf(row.type)
      if (kind !== undefined && fault.held !== undefined) this.#tellWatchers(kind, row.key, fault.held)
    }
  }

  /** How many actors are held. */
  get held(): number {
    return this.#held
  }

  /** Why an actor is held, if it is. */
  heldOf(kind: Kind, key: string): Held | undefined {
    return this.#held === 0 ? undefined : this.#faults.get(addressOf(kind.definition.storedAs, key))?.held
  }

  /** The error for whoever wants something of an actor that is held. */
  refusalOf(cell: Cell): ActorQuarantined | ActorStopped | undefined {
    const held = this.heldOf(cell.kind, cell.key)
    return held === undefined ? undefined : errorOf(cell.address, held)
  }

  /** Notes a failure as part of the open batch. The actor is served no more before that is committed. */
  failed(cell: Cell, failure: Failure): void {
    const { definition, supervision } = cell.kind
    if (cell.isHeld || cell.isResting) return
    const now = this.#core.clock.wall()
    const before = this.#faults.get(addressOf(definition.storedAs, cell.key))
    const { maxRestarts, withinMs } = supervision
    const failures = [...withinWindow(before?.failures ?? [], withinMs, now), now].slice(
      -1 - (maxRestarts === Infinity ? FAILURES_MAX : maxRestarts),
    )
    const deaths = [...withinWindow(before?.deaths ?? [], DEATHS_WITHIN_MS, now), ...(failure.isDeath ? [now] : [])]
    if (failures.length > maxRestarts || deaths.length > DEATHS_MAX) {
      const { code, message } = encodeError(failure.error)
      const mode = supervision.onExhausted === 'stop' ? 'stopped' : 'quarantined'
      const { because } = failure
      this.#hold(
        cell,
        { failures, deaths },
        { mode, reason: message, error: { code, message }, command: because, revision: cell.revision, at: now },
      )
      this.#tellGroup(cell, { type: 'bailiwick.hold', mode, reason: message, because: cell.address })
      return
    }
    this.#note(cell, { failures, deaths, held: undefined })
    const floor = failure.isOwn ? Math.max(OWN_BACKOFF_MS, supervision.backoff.minMs) : supervision.backoff.minMs
    const backoffMs = waitAfter({ ...supervision.backoff, minMs: floor }, failures.length, this.#core.random())
    this.#restart(cell, backoffMs, failures.length, failure)
    this.#tellGroup(cell, { type: 'bailiwick.restart', because: cell.address })
  }

  /** What an actor's group wants of it. Who is not in memory need not be restarted, and who is held stays as it is. */
  follow(kind: Kind, { key, command, input }: Pick<Parcel, 'key' | 'command' | 'input'>): void {
    const { mode, reason, because } = input as { readonly mode?: Held['mode']; readonly reason?: string; readonly because?: string } // Written by `#tellGroup`.
    if (this.heldOf(kind, key) !== undefined) return
    const known = this.#core.residents.get(kind, key)
    if (command === 'bailiwick.restart') {
      if (known?.hosted !== undefined && !known.isResting) this.#restart(known, 0, 0, undefined)
      return
    }
    const cell = known ?? this.#core.cellOf(kind, key)
    const at = this.#core.clock.wall()
    const text = `${because ?? 'another actor of its group'} failed too often: ${reason ?? ''}`
    this.#hold(cell, UNHARMED, { mode: mode ?? 'quarantined', reason: text, error: null, command: null, revision: cell.revision, at })
  }

  /** Holds an actor back because an operator wants it, as part of the open batch. False if it is held already. */
  hold(cell: Cell, reason: string): boolean {
    if (this.heldOf(cell.kind, cell.key) !== undefined) return false
    const at = this.#core.clock.wall()
    this.#hold(cell, UNHARMED, { mode: 'quarantined', reason, error: null, command: null, revision: cell.revision, at })
    return true
  }

  /** Actors that are held, the latest first, at most `limit`. */
  list(filter: HoldFilter, limit: number): readonly HeldView[] {
    return this.#matching(filter)
      .toSorted((left, right) => right.held.at - left.held.at)
      .slice(0, limit)
      .map(({ type, key, failures, held }) => ({ ...held, type, key, failures, waiting: this.#keptFor(type, key) }))
  }

  /** Lets actors go on as part of the open batch; answers how many. */
  release(filter: HoldFilter, limit: number): number {
    const core = this.#core
    const matching = this.#matching(filter).slice(0, limit)
    for (const { type, key } of matching) {
      const kind = core.kindOf(type)
      if (kind === undefined) {
        // Of a type that this system does not know: there is nobody to go on, but nothing is held against it any more.
        const address = addressOf(type, key)
        this.#remember(address)
        this.#set(address, undefined)
        core.batch.faultRows.set(address, { type, key, detail: undefined })
        continue
      }
      const cell = core.cellOf(kind, key)
      this.#note(cell, undefined)
      core.batch.released.push(cell)
      tap(core, { kind: 'actor.released', actor: cell.address })
    }
    if (matching.length > 0) core.batch.wantsCommit = true
    return matching.length
  }

  /** What a committed batch has led to. */
  settled({ restarts, released }: OpenBatch): void {
    const core = this.#core
    for (const [cell, { backoffMs, held }] of restarts) {
      cell.isResting = false
      const hadChildren = cell.hosted !== undefined && (cell.hosted.isBusy || cell.hosted.hasChildren)
      if (cell.kind.isDurable) {
        this.#drop(cell)
        if (held === undefined) core.count(Gauge.restarts)
      }
      // Children begin anew by themselves, also if nobody asks their actor anything.
      if (hadChildren && cell.kind.isDurable) cell.pushInternal({ tag: 'wake' })
      if (held !== undefined) {
        cell.isHeld = true
        this.#onHeld(cell, held)
      } else if (backoffMs > 0) this.#pause(cell, backoffMs)
      else core.ready.add(cell)
    }
    for (const cell of released) {
      cell.isHeld = false
      this.#onReleased(cell)
      core.timers.revive(cell)
      core.ready.add(cell)
    }
    if (restarts.size + released.length === 0) return
    core.timers.arm()
    core.wake()
  }

  /** After a failed commit: nothing of it has happened. */
  rolledBack({ restarts, faultsBefore, released, served }: OpenBatch): void {
    const core = this.#core
    for (const cell of restarts.keys()) {
      cell.isResting = this.#pauses.has(cell)
      core.ready.add(cell)
    }
    for (const [address, fault] of faultsBefore) this.#set(address, fault)
    for (const [cell, { held }] of restarts) {
      if (held !== undefined && cell.isHeld) this.#tellWatchers(cell.kind, cell.key, held)
    }
    // What came to an actor that was to be released, and what was to be given up, is dealt with once more.
    for (const cell of new Set([...released, ...served.map((waiting) => waiting.cell)])) {
      const held = cell.isHeld ? this.heldOf(cell.kind, cell.key) : undefined
      if (held !== undefined) core.clock.setTimer(() => this.#clearAgain(cell), CLEAR_AGAIN_MS)
    }
  }

  #clearAgain(cell: Cell): void {
    const held = cell.isHeld ? this.heldOf(cell.kind, cell.key) : undefined
    if (held !== undefined) this.#onHeld(cell, held)
  }

  /** Forgets failures that lie behind their window, as part of the open batch. */
  sweep(): void {
    const now = this.#core.clock.wall()
    for (const [address, { type, key, failures, held }] of this.#faults) {
      if (held !== undefined) continue
      const withinMs = Math.max(DEATHS_WITHIN_MS, this.#core.kindOf(type)?.supervision.withinMs ?? 0)
      if (withinWindow(failures, withinMs, now).length > 0) continue
      this.#remember(address)
      this.#set(address, undefined)
      if (isKept(this.#core.kindOf(type), undefined)) this.#core.batch.faultRows.set(address, { type, key, detail: undefined })
    }
    this.#sweepAt = Math.max(FAULTS_SWEPT_FROM, this.#faults.size * 2)
  }

  /** Ends every pause. */
  close(): void {
    for (const timer of this.#pauses.values()) timer.cancel()
    this.#pauses.clear()
  }

  #hold(cell: Cell, past: Pick<Fault, 'failures' | 'deaths'>, held: Held): void {
    const core = this.#core
    this.#note(cell, { ...past, held })
    this.#endPause(cell)
    cell.isResting = true
    core.batch.touch(cell)
    core.batch.restarts.set(cell, { backoffMs: 0, held })
    core.batch.wantsCommit = true
    if (cell.hosted !== undefined || !cell.kind.isDurable) core.watches.halted(cell, held.mode, held.error)
    else this.#tellWatchers(cell.kind, cell.key, held)
    tap(core, {
      kind: held.mode === 'stopped' ? 'actor.stopped' : 'actor.quarantined',
      actor: cell.address,
      ...(held.error === null ? {} : { error: held.error }),
    })
    core.report(errorOf(cell.address, held))
  }

  /** Tells those who watch an actor that is not in memory: who they are, the store knows. */
  #tellWatchers(kind: Kind, key: string, held: Held): void {
    const core = this.#core
    const tell = async (): Promise<void> => {
      const stored = await core.readSteady(() => core.store.load(kind.definition.storedAs, key))
      const cell = core.cellOf(kind, key)
      if (stored === undefined || stored.openCalls.length === 0 || cell.hosted !== undefined || this.heldOf(kind, key) === undefined) return
      cell.number = stored.number
      cell.isStored = true
      cell.openCalls = decodeOpenCalls(stored.openCalls)
      core.batch.touch(cell)
      core.watches.halted(cell, held.mode, held.error)
      // Nothing of it stays in memory.
      core.batch.restarts.set(cell, { backoffMs: 0, held })
      core.wake()
    }
    tell().catch((error: unknown) => core.report(error))
  }

  #restart(cell: Cell, backoffMs: number, failures: number, failure: Failure | undefined): void {
    const core = this.#core
    // An actor without a store has nothing to go back to; it only pauses.
    if (!cell.kind.isDurable && backoffMs === 0) return
    cell.isResting = true
    core.batch.touch(cell)
    core.batch.restarts.set(cell, { backoffMs, held: undefined })
    tap(core, {
      kind: 'actor.restarted',
      actor: cell.address,
      ...(failure === undefined
        ? {}
        : { because: failure.because, error: { code: encodeError(failure.error).code, message: messageOf(failure.error) } }),
      failures,
      backoffMs,
    })
  }

  #pause(cell: Cell, backoffMs: number): void {
    const core = this.#core
    this.#endPause(cell)
    cell.isResting = true
    const timer = core.clock.setTimer(() => {
      this.#pauses.delete(cell)
      cell.isResting = false
      core.ready.add(cell)
      core.wake()
    }, backoffMs)
    this.#pauses.set(cell, timer)
  }

  #endPause(cell: Cell): void {
    this.#pauses.get(cell)?.cancel()
    this.#pauses.delete(cell)
  }

  /** Tells the others of a group what has become of one. */
  #tellGroup(cell: Cell, event: { readonly type: string; readonly [field: string]: string }): void {
    const { group } = cell.kind.supervision
    if (group === undefined || group.strategy === 'one-for-one') return
    const { kinds } = this.#core
    const position = kinds.indexOf(cell.kind)
    for (const [index, { definition, supervision }] of kinds.entries()) {
      if (index === position || supervision.group?.name !== group.name) continue
      if (group.strategy === 'rest-for-one' && index < position) continue
      const { storedAs: type } = definition
      deliver(this.#core, {
        type,
        key: cell.key,
        command: event.type,
        lane: 0,
        input: event,
        detail: { isEvent: true, from: cell.address },
      })
    }
  }

  /** Changes what is known of an actor, in memory and in the open batch. */
  #note(cell: Cell, known: Pick<Fault, 'failures' | 'deaths' | 'held'> | undefined): void {
    const { kind, key } = cell
    const { storedAs: type } = kind.definition
    const address = addressOf(type, key)
    const fault: Fault | undefined = known === undefined ? undefined : { type, key, ...known }
    this.#remember(address)
    this.#set(address, fault)
    // Without a limit there is nothing that a later life would have to know.
    if (!isKept(kind, fault)) return
    const row: FaultChanged = { type, key, detail: fault === undefined ? undefined : encodeFault(fault) }
    this.#core.batch.faultRows.set(address, row)
    if (this.#faults.size >= this.#sweepAt) this.sweep()
  }

  #remember(address: string): void {
    const { faultsBefore } = this.#core.batch
    if (!faultsBefore.has(address)) faultsBefore.set(address, this.#faults.get(address))
  }

  #set(address: string, fault: Fault | undefined): void {
    if (this.#faults.get(address)?.held !== undefined) this.#held -= 1
    if (fault === undefined) this.#faults.delete(address)
    else this.#faults.set(address, fault)
    if (fault?.held !== undefined) this.#held += 1
  }

  #keptFor(type: string, key: string): number {
    const kind = this.#core.kindOf(type)
    return (kind === undefined ? undefined : this.#core.residents.get(kind, key)?.mailbox?.size) ?? 0
  }

  #matching({ type, key }: HoldFilter): (Fault & { readonly held: Held })[] {
    const matching: (Fault & { readonly held: Held })[] = []
    for (const fault of this.#faults.values()) {
      const { held } = fault
      if (held === undefined || (type !== undefined && fault.type !== type) || (key !== undefined && fault.key !== key)) continue
      matching.push({ ...fault, held })
    }
    return matching
  }
}

/** Whether what is known of an actor is kept in the store. */
function isKept(kind: Kind | undefined, fault: Fault | undefined): boolean {
  if (kind === undefined) return true
  if (!kind.isDurable) return false
  return kind.supervision.maxRestarts !== Infinity || fault === undefined || fault.deaths.length > 0 || fault.held !== undefined
}
