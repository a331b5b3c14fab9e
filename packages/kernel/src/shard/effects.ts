/**
 * Effects: what actors promise to the outside world.
 *
 * 1. A transition that wants an effect has a row in its own commit. It is due at once, or later.
 * 2. A due effect is claimed: a commit counts the attempt. Only then the attempt begins. An effect that is not claimed has
 *    certainly not been performed, so it can still be cancelled.
 * 3. The attempt ends: done, failed, or out of time. The end is one commit with the event that the actor gets; a failed
 *    one with attempts left becomes due again after a wait that doubles, with jitter.
 * 4. After a crash, a claimed effect is due again with `isClaimed`: what its attempt did is unknown. The definition's
 *    `probe` is asked; without one it is tried again, under the same idempotency key.
 *
 * A result that comes after its attempt has ended (out of time, or the shard is gone) is dropped and counted.
 */
import type { DueEffect, Effect, EffectCancelled } from '@bailiwick/store'
import type { EffectAttempt, EffectDefinition, EffectProcesses, ProbeResult } from '../definition/define-effect.ts'
import { findJsonFault } from '../definition/json.ts'
import { waitAfter } from '../definition/backoff.ts'
import { EffectTimeout, MailboxFull, NotSerializable, ShardCrashed, StaleEpoch, UnknownCommand } from '../errors.ts'
import { Alarm } from './alarm.ts'
import type { OpenBatch } from './batch.ts'
import type { ShardCore } from './core.ts'
import { buryEffect } from './dead-letters.ts'
import type { Detail } from './detail.ts'
import type { EffectDetail, EffectEnd, EffectPromise, EffectQueue, Run } from './effect.ts'
import type { EffectsPart } from './parts.ts'
import { Gauge } from './gauges.ts'
import { deliver, isOutboxFull, plainError } from './parcels.ts'
import { tap, tapErrorOf } from './tap.ts'

const REARM_MS = 10

/** What an attempt of an effect may do with processes, which are ended when `over` fires. */
type Processes = (name: string, gate: () => Error | undefined, over: AbortSignal) => EffectProcesses
/** How often a probe is asked beyond the last attempt, if threads die meanwhile. */
const PROBES_MAX = 3
/** So often an attempt may end its thread; the thread has a limit of its own. */
const POISON_ATTEMPTS = 2

/** All effects of one shard. */
export class ShardEffects implements EffectsPart {
  readonly #core: ShardCore
  readonly #processes: Processes
  readonly #queues: ReadonlyMap<string, EffectQueue>
  #isClosed = false

  /** `processes` answers what an attempt may do with processes; they are ended when `over` fires. */
  constructor(core: ShardCore, definitions: readonly EffectDefinition[], processes: Processes) {
    this.#core = core
    this.#processes = processes
    this.#queues = new Map(definitions.map((definition) => [definition.name, this.#queueOf(definition)]))
  }

  /** How many attempts are under way. */
  get running(): number {
    let running = 0
    for (const queue of this.#queues.values()) running += queue.running.size
    return running
  }

  /** The definition of a name, if this shard knows it. */
  definitionOf(name: string): EffectDefinition | undefined {
    return this.#queues.get(name)?.definition
  }

  /** Promises an effect as part of the open batch. One with the same label of the same actor that has not begun is taken back. */
  promise(promise: EffectPromise): void {
    const core = this.#core
    const { name, type, key, label, idempotencyKey, input, detail } = promise
    if (label !== undefined) this.cancel(type, key, label)
    const full = this.#queues.has(name)
      ? isOutboxFull(core)
        ? new MailboxFull(core.addressOf(type, key), 'outbox', core.limits.outbox)
        : undefined
      : new UnknownCommand(core.addressOf(type, key), name)
    if (full !== undefined) {
      buryEffect(core, { name, idempotencyKey, type, key, label, input: JSON.parse(input), attempts: 0, behalf: detail }, full)
      this.#tell(type, key, `${name}.failed`, detail, { error: plainError(full), idempotencyKey, attempts: 0, ...named(label) })
      return
    }
    tap(core, { kind: 'effect.promised', actor: core.addressOf(type, key), effect: name, idempotencyKey, attempt: 0 })
    core.batch.effects.push({
      sequence: core.takeSequence(),
      name,
      idempotencyKey,
      type,
      key,
      label,
      input,
      detail: detail === undefined ? undefined : JSON.stringify(detail),
      turn: promise.turn,
      dueAt: core.batch.at + promise.delayMs,
      attempts: 0,
    })
  }

  /** Takes back an actor's effect that has not begun, as part of the open batch. */
  cancel(type: string, key: string, label: string): void {
    this.#cancel({ type, key, label })
  }

  /** Takes back what was promised on behalf of a turn and has not begun, as part of the open batch. */
  cancelOfTurn(turn: number): void {
    this.#cancel({ turn })
  }

  /** Looks for due effects of every name. */
  arm(): void {
    for (const queue of this.#queues.values()) this.#armQueue(queue)
  }

  /** Counts what a committed batch has ended. */
  countEnds({ ends }: OpenBatch): void {
    for (const { result } of ends) {
      if ('output' in result) this.#core.count(Gauge.effectsDone)
      else if (result.isLast) this.#core.count(Gauge.effectsFailed)
    }
  }

  /** After a commit: claimed attempts begin, and new effects are looked at. */
  settled(batch: OpenBatch): void {
    for (const { queue, row } of batch.claims.values()) {
      queue.claiming -= 1
      this.#begin(queue, row)
    }
    const names = new Set<string>()
    for (const { name } of batch.effects) names.add(name)
    for (const { queue } of batch.ends) names.add(queue.definition.name)
    for (const { queue } of batch.claims.values()) names.add(queue.definition.name)
    // A cancel may have taken back what the alarm was set for.
    if (batch.effectsCancelled.length > 0) for (const name of this.#queues.keys()) names.add(name)
    for (const name of names) {
      const queue = this.#queues.get(name)
      if (queue !== undefined) this.#armQueue(queue)
    }
  }

  /** After a failed commit: ends are recorded again, claims are tried again. */
  rolledBack(batch: OpenBatch): void {
    for (const { queue } of batch.claims.values()) queue.claiming -= 1
    for (const end of batch.ends) this.#record(end)
  }

  /** Aborts every attempt. What they did is found out at the next start. */
  close(): void {
    this.#isClosed = true
    for (const queue of this.#queues.values()) {
      queue.alarm.close()
      for (const { abort, over, timer } of queue.running.values()) {
        timer.cancel()
        abort.abort()
        over.abort()
      }
      queue.running.clear()
    }
  }

  #cancel(cancelled: EffectCancelled): void {
    const { batch } = this.#core
    for (let index = batch.effects.length - 1; index >= 0; index -= 1) {
      const effect = batch.effects[index]
      if (effect !== undefined && isMeant(cancelled, effect)) batch.effects.splice(index, 1)
    }
    // A claim of this batch has not begun either.
    for (const [sequence, { queue, row }] of batch.claims) {
      if (!isMeant(cancelled, row)) continue
      batch.claims.delete(sequence)
      queue.claiming -= 1
    }
    batch.effectsCancelled.push(cancelled)
  }

  #queueOf(definition: EffectDefinition): EffectQueue {
    const core = this.#core
    const queue: EffectQueue = {
      definition,
      running: new Map(),
      claiming: 0,
      alarm: new Alarm(core.clock, { nextAt: () => core.store.nextEffectDueAt(definition.name), ring: () => this.#claim(queue) }),
    }
    return queue
  }

  #armQueue(queue: EffectQueue): void {
    if (!this.#isClosed && freeOf(queue) > 0) queue.alarm.arm()
  }

  /** Claims as many due effects as may run. */
  async #claim(queue: EffectQueue): Promise<void> {
    const core = this.#core
    const free = freeOf(queue)
    if (free <= 0) return
    const limit = free + core.batch.claims.size + (core.committing?.claims.size ?? 0)
    const rows = await core.readSteady(() => core.store.dueEffects(queue.definition.name, core.clock.wall(), limit))
    // The store was asked outside of the batches: what they have taken back, or claimed already, does not count.
    const { batch, committing } = core
    for (const row of rows) {
      if (freeOf(queue) <= 0 || this.#isClosed) break
      if (isSpokenFor(batch, row) || (committing !== undefined && isSpokenFor(committing, row))) continue
      // One that has ended a thread may have been unlucky once.
      const poison = row.attempts < POISON_ATTEMPTS ? undefined : core.poison.sequences.get(row.sequence)
      if (poison !== undefined || isSpent(queue.definition, row)) {
        const error = new ShardCrashed(poison ?? `it died during attempt ${row.attempts} of the effect "${row.name}"`)
        this.#record({ queue, row, attempt: row.attempts, result: { error, isLast: true, isUnknown: true } })
        continue
      }
      batch.claims.set(row.sequence, { queue, row })
      const { type, key, name: effect, idempotencyKey, attempts } = row
      tap(core, { kind: 'effect.started', actor: core.addressOf(type, key), effect, idempotencyKey, attempt: attempts + 1 })
      queue.claiming += 1
    }
    // What the batches speak for is settled with them; if there is more, it is looked at then or after the next alarm.
    if (rows.length > 0 && queue.claiming === 0) core.clock.setTimer(() => this.#armQueue(queue), REARM_MS)
    core.wake()
  }

  #begin(queue: EffectQueue, row: DueEffect): void {
    if (this.#isClosed) return
    const { definition, running } = queue
    const attempt = row.attempts + 1
    const abort = new AbortController()
    const over = new AbortController()
    const timer = this.#core.clock.setTimer(() => {
      const error = new EffectTimeout(definition.name, definition.timeoutMs)
      this.#end(run, { queue, row, attempt, result: { error, isLast: attempt >= definition.retry.maxAttempts, isUnknown: true } })
      abort.abort(error)
    }, definition.timeoutMs)
    const run: Run = { abort, over, timer }
    const given = this.#givenOf(row, attempt, run)
    running.set(row.sequence, run)
    const isProbed = definition.probe !== undefined && isUnknown(row)
    const end = (isStillUnknown: boolean) => (error: unknown) => {
      const isLast = attempt >= definition.retry.maxAttempts || isFinal(error)
      this.#end(run, { queue, row, attempt, result: { error, isLast, isUnknown: isStillUnknown } })
    }
    const succeed = (output: unknown): void => this.#end(run, { queue, row, attempt, result: { output } })
    const perform = (): void => {
      // The probe may have taken the whole time of the attempt, or the attempts may be used up.
      if (running.get(row.sequence) !== run) return
      if (attempt > definition.retry.maxAttempts) end(false)(new ShardCrashed(`it died during the last attempt of "${row.name}"`))
      else this.#guarded(row, () => attemptOf(definition, given)).then(succeed, end(false))
    }
    if (!isProbed) perform()
    else {
      // As long as the probe does not answer, it is not known what the last attempt did.
      const probing = this.#guarded(row, () => probeOf(definition, given))
      probing.then((found) => (found.done ? succeed(found.output) : perform()), end(true))
    }
  }

  /** Runs what may end the thread, with its name written down. */
  #guarded<Result>({ sequence }: DueEffect, run: () => Promise<Result>): Promise<Result> {
    this.#core.mark(0, sequence, 0, 1)
    const running = run()
    this.#core.unmark()
    return running
  }

  #givenOf({ input, idempotencyKey, name }: DueEffect, attempt: number, { abort, over }: Run): EffectAttempt<never> {
    const make = (): EffectProcesses => {
      const gate = (): Error | undefined => (over.signal.aborted ? new StaleEpoch(`effect ${name}`, attempt, attempt + 1) : undefined)
      const processes = this.#processes(`effect ${name}`, gate, over.signal)
      // In a form that can be taken apart.
      return { run: async (spec) => await processes.run(spec), spawn: async (spec) => await processes.spawn(spec) }
    }
    let processes: EffectProcesses | undefined
    return {
      input: JSON.parse(input) as never, // Checked by the definition's schema.
      idempotencyKey,
      attempt,
      signal: abort.signal,
      // Few effects start a process.
      get process() {
        return (processes ??= make())
      },
    }
  }

  #end(run: Run, end: EffectEnd): void {
    const { running } = end.queue
    if (running.get(end.row.sequence) !== run) {
      if ('output' in end.result) this.#core.count(Gauge.lateResults)
      return
    }
    running.delete(end.row.sequence)
    run.timer.cancel()
    run.over.abort()
    this.#record(end)
  }

  /** Notes the end of an attempt in the open batch. */
  #record(end: EffectEnd): void {
    const core = this.#core
    const { row, queue, attempt, result } = end
    const { name, retry } = queue.definition
    const { sequence, type, key, label, idempotencyKey } = row
    const detail = row.detail === undefined ? undefined : (JSON.parse(row.detail) as EffectDetail) // Written by `promise`.
    core.batch.ends.push(end)
    core.wake()
    const ending = { idempotencyKey, attempts: attempt, ...named(label) }
    if ('output' in result) {
      core.batch.effectsSettled.push(sequence)
      tap(core, { kind: 'effect.done', actor: core.addressOf(type, key), effect: name, idempotencyKey, attempt })
      this.#tell(type, key, `${name}.done`, detail, { output: result.output, ...ending })
      return
    }
    if (!result.isLast) {
      const { isUnknown: _before, ...kept } = detail ?? {}
      const next: EffectDetail = result.isUnknown ? { ...kept, isUnknown: true } : kept
      tap(core, {
        kind: 'effect.delayed',
        actor: core.addressOf(type, key),
        effect: name,
        idempotencyKey,
        attempt,
        error: tapErrorOf(result.error),
      })
      core.batch.effectsDelayed.push({
        sequence,
        dueAt: core.clock.wall() + Math.ceil(waitAfter(retry.backoff, attempt, core.random())),
        detail: JSON.stringify(next),
      })
      return
    }
    core.batch.effectsSettled.push(sequence)
    tap(core, {
      kind: 'effect.failed',
      actor: core.addressOf(type, key),
      effect: name,
      idempotencyKey,
      attempt,
      error: tapErrorOf(result.error),
    })
    buryEffect(
      core,
      { name, idempotencyKey, type, key, label, input: JSON.parse(row.input), attempts: attempt, behalf: detail },
      result.error,
    )
    this.#tell(type, key, `${name}.failed`, detail, { error: plainError(result.error), ...ending })
  }

  #tell(type: string, key: string, event: string, given: EffectDetail | undefined, fields: object): void {
    const detail: Detail = {
      isEvent: true,
      ...(given?.cause === undefined ? {} : { cause: given.cause }),
      ...(given?.chain === undefined ? {} : { chain: given.chain }),
    }
    deliver(this.#core, { type, key, command: event, lane: 0, input: { ...fields, type: event }, detail })
  }
}

/** Performs the effect once. */
async function attemptOf(definition: EffectDefinition, given: EffectAttempt<never>): Promise<unknown> {
  return checked(definition, await definition.run(given))
}

/** Asks whether the last attempt took effect. */
async function probeOf(definition: EffectDefinition, given: EffectAttempt<never>): Promise<ProbeResult<unknown>> {
  const found = (await definition.probe?.(given)) as Partial<ProbeResult<unknown>> | undefined // Its type says more.
  // What is no answer must not be taken for a no: the effect would be performed again.
  if (found?.done === false) return { done: false }
  if (found?.done === true) return { done: true, output: checked(definition, 'output' in found ? found.output : undefined) }
  throw new TypeError(`the probe of "${definition.name}" must answer { done: true, output } or { done: false }`)
}

function checked(definition: EffectDefinition, output: unknown): unknown {
  const fault = findJsonFault(output)
  if (fault !== undefined)
    throw new NotSerializable(`effect ${definition.name}`, ['output', fault.path].filter(Boolean).join('.'), fault.detail)
  return output
}

function isUnknown(row: DueEffect): boolean {
  return row.isClaimed || (row.detail !== undefined && (JSON.parse(row.detail) as EffectDetail).isUnknown === true) // Written by `#record`.
}

/** Whether an effect has had all its attempts, the last of which ended with its thread. A probe is still asked a few times. */
function isSpent({ retry, probe }: EffectDefinition, row: DueEffect): boolean {
  return row.isClaimed && row.attempts >= retry.maxAttempts + (probe === undefined ? 0 : PROBES_MAX)
}

/** A result that JSON cannot carry was performed all the same: trying again would only repeat it. */
function isFinal(error: unknown): boolean {
  if (error instanceof NotSerializable) return true
  return typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === false
}

function freeOf({ definition, running, claiming }: EffectQueue): number {
  return definition.concurrency - running.size - claiming
}

/** Whether a batch has claimed an effect already, or has taken it back. */
function isSpokenFor(batch: OpenBatch, row: DueEffect): boolean {
  if (batch.claims.has(row.sequence)) return true
  return batch.effectsCancelled.some((cancelled) => isMeant(cancelled, row))
}

function isMeant(cancelled: EffectCancelled, effect: Effect): boolean {
  if ('turn' in cancelled) return effect.turn === cancelled.turn
  return effect.label === cancelled.label && effect.key === cancelled.key && effect.type === cancelled.type
}

function named(label: string | undefined): { readonly label?: string } {
  return label === undefined ? {} : { label }
}
