/**
 * Serving one thing that waits for an actor: a command, a query, a wish to read, an event from inside.
 *
 * Everything here happens in memory and in the open batch. A command that is refused or fails leaves no trace in
 * either, apart from its answer.
 */
import type { StoredOutcome } from '@bailiwick/store'
import { decodeKey } from '../definition/key.ts'
import { findJsonFault } from '../definition/json.ts'
import { CommandFailed, CommandRejected, encodeError, IdempotencyConflict, messageOf, NotSerializable } from '../errors.ts'
import type { EventLike, Hosted, Step } from '../hosting/host.ts'
import { FromShard } from '../protocol/from-shard.ts'
import type { Cell, Internal, Waiting } from './cell.ts'
import type { ShardCore } from './core.ts'
import { Gauge } from './gauges.ts'
import type { ShardTimers } from './timers.ts'

/** Answers a call with a value. */
function answer(core: ShardCore, cell: Cell, call: number, value: unknown): void {
  if (call === 0) return
  // JSON would make `null` of an undefined value inside a tuple.
  core.batch.answersOf(cell).push(value === undefined ? [FromShard.value, call] : [FromShard.value, call, value])
}

/** Answers a call with an error. */
export function refuse(core: ShardCore, cell: Cell, call: number, error: Error): void {
  if (call !== 0) core.batch.answersOf(cell).push([FromShard.error, call, encodeError(error)])
}

/** Serves a read: the present state, once or as the first of a stream. */
export function serveRead(core: ShardCore, cell: Cell, hosted: Hosted, waiting: Waiting): void {
  core.batch.touch(cell)
  const view = cell.kind.host.view(hosted)
  if (waiting.tag === 'snapshot') {
    answer(core, cell, waiting.call, view)
    return
  }
  const { address } = cell
  const followers = core.followers.get(address) ?? new Set<number>()
  followers.add(waiting.call)
  core.batch.joined.push(waiting.call)
  core.followers.set(address, followers)
  core.batch.answersOf(cell).push([FromShard.change, waiting.call, view])
}

/** The scope in which an idempotency key counts: one command of one actor. */
export function idempotencyScope(waiting: Waiting): string {
  return JSON.stringify([waiting.cell.kind.definition.type, waiting.cell.key, waiting.command?.name])
}

/** Answers a command whose key has a recorded outcome, without executing it. */
export function serveRecorded(core: ShardCore, cell: Cell, waiting: Waiting, recorded: StoredOutcome): void {
  const key = waiting.idempotency?.key ?? ''
  finish(core, waiting)
  if (recorded.fingerprint !== waiting.idempotency?.fingerprint) {
    refuseOrLose(core, cell, waiting, new IdempotencyConflict(cell.address, waiting.command?.name ?? '', key))
    return
  }
  core.count(Gauge.replayed)
  const outcome = JSON.parse(recorded.outcome) as { readonly value?: unknown } // Written by `record` below.
  answer(core, cell, waiting.call, waiting.tag === 'ask' ? outcome.value : undefined)
}

/** Serves a command or query for the first time. */
export function serveCommand(core: ShardCore, timers: ShardTimers, cell: Cell, hosted: Hosted, waiting: Waiting): void {
  const { command } = waiting
  if (command === undefined) throw new Error('A read was served as a command.')
  core.batch.touch(cell)
  finish(core, waiting)
  try {
    const isQuery = command.kind === 'query'
    const step = isQuery ? undefined : transition(cell, hosted, eventOf(command.name, waiting.input), command.name)
    const snapshot = step?.snapshot ?? hosted.snapshot
    // Nobody hears the reply of a tell, unless its key may be asked for again.
    const reply = waiting.tag === 'ask' || waiting.idempotency !== undefined ? replyOf(cell, waiting, snapshot) : undefined
    if (step !== undefined) accept(core, timers, cell, hosted, step, eventOf(command.name, waiting.input))
    if (waiting.idempotency !== undefined) record(core, waiting, reply)
    core.count(Gauge.handled)
    answer(core, cell, waiting.call, waiting.tag === 'ask' ? reply : undefined)
  } catch (error) {
    if (error instanceof CommandRejected) core.count(Gauge.rejected)
    else core.count(Gauge.failed)
    refuseOrLose(core, cell, waiting, error instanceof Error ? error : new Error(String(error)))
  }
}

/** Handles what comes from inside an actor. What the state does not take is dropped, as XState does. */
export function serveInternal(core: ShardCore, timers: ShardTimers, cell: Cell, hosted: Hosted, internal: Internal): void {
  if (internal.tag === 'tick' && !timers.take(internal)) return
  core.batch.touch(cell)
  try {
    if (internal.tag === 'store') {
      checkChildren(cell, hosted)
      core.markDirty(cell)
      return
    }
    const event = internal.tag === 'tick' ? (JSON.parse(internal.timer.event) as EventLike) : internal.event
    const step = cell.kind.host.transition(hosted, event)
    if (!step.isAccepted) return
    checkState(cell, hosted, step)
    accept(core, timers, cell, hosted, step, event)
  } catch (error) {
    core.count(Gauge.failed)
    core.report(error)
  }
}

/** Notes timers and actions that a step wants. */
export function absorb(core: ShardCore, timers: ShardTimers, cell: Cell, step: Step): void {
  for (const wish of step.timers) timers.wish(cell, wish)
  if (step.actions.length > 0) core.batch.releases.push({ cell, actions: step.actions })
}

function eventOf(type: string, input: object | null): EventLike {
  return { ...input, type }
}

function transition(cell: Cell, hosted: Hosted, event: EventLike, command: string): Step {
  let step: Step
  try {
    step = cell.kind.host.transition(hosted, event)
  } catch (error) {
    throw new CommandFailed(cell.address, command, messageOf(error), { cause: error })
  }
  if (!step.isAccepted) throw new CommandRejected(cell.address, command, describeState(hosted))
  checkState(cell, hosted, step)
  return step
}

function describeState({ snapshot }: Hosted): string {
  return JSON.stringify(snapshot.status === 'active' ? (snapshot.value ?? snapshot.status) : snapshot.status)
}

/** Refuses a step whose state JSON cannot carry. */
function checkState(cell: Cell, hosted: Hosted, step: Step): void {
  const { snapshot } = step
  const inContext = findJsonFault(snapshot.context, hosted.snapshot.context)
  if (inContext !== undefined) throw notSerializable(cell, 'context', inContext)
  const inOutput = findJsonFault(snapshot.output, hosted.snapshot.output)
  if (inOutput !== undefined) throw notSerializable(cell, 'output', inOutput)
}

function replyOf(cell: Cell, waiting: Waiting, snapshot: Step['snapshot']): unknown {
  const reply = waiting.command?.reply
  if (reply === undefined) return undefined
  let value: unknown
  try {
    value = reply({ context: snapshot.context, value: snapshot.value, snapshot, input: waiting.input ?? {}, key: decodeKey(cell.key) })
  } catch (error) {
    throw new CommandFailed(cell.address, waiting.command?.name ?? '', messageOf(error), { cause: error })
  }
  const fault = findJsonFault(value)
  if (fault !== undefined) throw notSerializable(cell, 'reply', fault)
  return value
}

function notSerializable(cell: Cell, where: string, fault: { readonly path: string; readonly detail: string }): NotSerializable {
  return new NotSerializable(cell.address, fault.path === '' ? where : `${where}.${fault.path}`, fault.detail)
}

/** Makes a step the actor's state, in memory and in the batch. Throws `NotSerializable`, with nothing changed. */
function accept(core: ShardCore, timers: ShardTimers, cell: Cell, hosted: Hosted, step: Step, event: EventLike): void {
  for (const wish of step.timers) {
    const fault = wish.kind === 'set' ? findJsonFault(wish.event) : undefined
    if (fault !== undefined) throw notSerializable(cell, 'delayed event', fault)
  }
  if (step.snapshot !== hosted.snapshot) {
    const isJournaled = cell.kind.definition.persist === 'journal'
    const fault = isJournaled ? findJsonFault(event) : undefined
    if (fault !== undefined) throw notSerializable(cell, 'event', fault)
    const before = hosted.snapshot
    cell.kind.host.apply(hosted, step.snapshot)
    try {
      checkChildren(cell, hosted)
    } catch (error) {
      cell.kind.host.apply(hosted, before)
      throw error
    }
    cell.revision += 1
    core.markDirty(cell)
    if (isJournaled) {
      core.batch.journal.push({ actor: core.numberOf(cell), sequence: cell.revision, at: core.batch.at, event: JSON.stringify(event) })
    }
  }
  absorb(core, timers, cell, step)
}

/** The state of children is part of the snapshot, and only writing it shows whether JSON can carry it. */
function checkChildren(cell: Cell, hosted: Hosted): void {
  if (!cell.kind.isDurable || !hosted.hasChildren) return
  try {
    cell.kind.host.encode(hosted)
  } catch (error) {
    throw new NotSerializable(cell.address, 'children', `cannot be written (${messageOf(error)})`)
  }
}

/** Notes that a stored command is finished. */
function finish(core: ShardCore, waiting: Waiting): void {
  if (waiting.sequence === 0) return
  core.batch.finished.push(waiting.sequence)
  core.batch.served.push(waiting)
}

/** Records the outcome of a command under its key. Only success is recorded: what had no effect may be tried again. */
function record(core: ShardCore, waiting: Waiting, value: unknown): void {
  const { idempotency } = waiting
  if (idempotency === undefined) return
  const scope = idempotencyScope(waiting)
  const { key, fingerprint } = idempotency
  const outcome = JSON.stringify({ value })
  const expiresAt = core.batch.at + core.limits.idempotencyTtlMs
  core.batch.outcomes.push({ scope, key, fingerprint, outcome, expiresAt })
  core.batch.recorded.set(`${scope}${key}`, { fingerprint, outcome, expiresAt })
}

/** Tells the caller, or counts a tell that was accepted before and could not be handled now. */
function refuseOrLose(core: ShardCore, cell: Cell, waiting: Waiting, error: Error): void {
  if (waiting.tag === 'ask') {
    refuse(core, cell, waiting.call, error)
    return
  }
  core.count(Gauge.lostTells)
  answer(core, cell, waiting.call, undefined)
}
