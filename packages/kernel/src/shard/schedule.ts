/**
 * Commands that were accepted for later. They stay in the store until they are due, so that a million of them costs no
 * memory; there is one alarm for the earliest.
 */
import type { InboxCommand } from '@bailiwick/store'
import type { Timer } from '../seams/seams.ts'
import { Alarm } from './alarm.ts'
import { readmit } from './admission.ts'
import { inboxId } from './commit.ts'
import type { ShardCore } from './core.ts'
import { encodeDetail } from './detail.ts'
import type { Parcel } from './detail.ts'
import type { SchedulePart } from './parts.ts'
import { Gauge } from './gauges.ts'

const READ_MAX = 1_000
const LATER_MS = 1_000

/** What is to be handled later on one shard. */
export class Schedule implements SchedulePart {
  readonly #core: ShardCore
  readonly #alarm: Alarm
  /** Sequences that are due and not finished: passed over when the store is read again. */
  readonly #queued = new Set<number>()
  #later: Timer | undefined

  constructor(core: ShardCore) {
    this.#core = core
    this.#alarm = new Alarm(core.clock, {
      nextAt: () => this.#nextAt(),
      ring: () => this.#readDue(),
    })
  }

  /** Accepts a command for later as part of the open batch. */
  accept(parcel: Parcel): void {
    const core = this.#core
    const sequence = core.takeSequence()
    core.batch.accepted.push({
      sequence,
      id: inboxId(core, sequence),
      type: parcel.type,
      key: parcel.key,
      command: parcel.command,
      lane: parcel.lane,
      input: JSON.stringify(parcel.input),
      idempotency: parcel.idempotency,
      at: core.clock.wall(),
      dueAt: parcel.dueAt,
      detail: encodeDetail(parcel.detail),
    })
  }

  /** After a commit: forgets what is finished, and looks for what is next. */
  settled(accepted: readonly InboxCommand[], finished: readonly number[]): void {
    const before = this.#queued.size
    if (before > 0) for (const sequence of finished) this.#queued.delete(sequence)
    if (this.#queued.size < before || accepted.some(({ dueAt }) => dueAt !== undefined)) this.arm()
  }

  /** Sets the alarm for the earliest command. */
  arm(): void {
    this.#alarm.arm()
  }

  /** Stops the alarm. */
  close(): void {
    this.#later?.cancel()
    this.#alarm.close()
  }

  /** The earliest moment of those that are not queued; what is queued may stay so for long. */
  async #nextAt(): Promise<number | undefined> {
    const { store } = this.#core
    if (this.#queued.size === 0) return await store.nextCommandDueAt()
    if (this.#queued.size >= READ_MAX) {
      this.#lookLater()
      return undefined
    }
    const rows = await store.dueCommands(Number.MAX_SAFE_INTEGER, this.#queued.size + 1)
    return rows.find(({ sequence }) => !this.#queued.has(sequence))?.dueAt
  }

  /**
   * While a whole reading is queued, finishing it is what to wait for. What is queued may be postponed for long, though, so
   * that the others get their turn a little later all the same.
   */
  #lookLater(): void {
    const core = this.#core
    if (this.#later !== undefined) return
    this.#later = core.clock.setTimer(() => {
      this.#later = undefined
      if (this.#queued.size >= core.limits.waitingCommands) this.#lookLater()
      else this.#readDue().catch(() => this.#lookLater())
    }, LATER_MS)
  }

  async #readDue(): Promise<void> {
    const core = this.#core
    // What is being finished by a commit under way is still in the list of what is queued.
    const rows = await core.readSteady(() => core.store.dueCommands(core.clock.wall(), READ_MAX + this.#queued.size))
    for (const row of rows) {
      if (this.#queued.has(row.sequence)) continue
      this.#queued.add(row.sequence)
      if (!readmit(core, row)) core.count(Gauge.stranded)
    }
    core.wake()
    this.arm()
  }
}
