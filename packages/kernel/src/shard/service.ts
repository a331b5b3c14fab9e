/**
 * Serving one thing that waits for an actor: a command, a query, a wish to read, an event from inside or from another actor.
 *
 * Everything here happens in memory and in the open batch. A command that is refused or fails leaves no trace in
 * either, apart from its answer.
 */
import type { StoredOutcome } from '@bailiwick/store'
import { decodeKey } from '../definition/key.ts'
import { findJsonFault, freeze } from '../definition/json.ts'
import {
  asError,
  CommandFailed,
  CommandRejected,
  decodeError,
  IdempotencyConflict,
  messageOf,
  NotSerializable,
  UnknownCommand,
} from '../errors.ts'
import type { EventLike, Hosted, Step } from '../hosting/host.ts'
import { outcomeOf } from '../outcomes.ts'
import { FromShard } from '../protocol/from-shard.ts'
import { answer, refuse } from './answers.ts'
import {
  awaitReply,
  closeCall,
  cycleOf,
  eventOfAnswer,
  join,
  openCall,
  recordOutcome,
  refusalOfOpenCall,
  scopeOf,
  settleReply,
} from './calls.ts'
import type { Behalf } from './calls.ts'
import { waitingOf } from './cell.ts'
import type { AnyCommand } from '../definition/define-actor.ts'
import type { Cell, Waiting } from './cell.ts'
import type { ShardCore } from './core.ts'
import { bury } from './dead-letters.ts'
import type { ChainLink } from './detail.ts'
import { Gauge } from './gauges.ts'
import { staleLeaseOf } from './lease-fence.ts'
import { editOpen, recordNames, unnameWaiting } from './natural.ts'
import type { OpenReply } from './open-call.ts'
import { answerCaller, plainError } from './parcels.ts'
import { beginHandling, tap, tapHandled } from './tap.ts'
import { UNWATCH, WATCH, serveWatch } from './watches.ts'
import { checkWishes, performWishes } from './wishes.ts'
import type { CheckedWish } from './wishes.ts'

const NO_CHAIN: readonly ChainLink[] = []

/** Serves a read: the present state, once or as the first of a stream, or the timers. */
export function serveRead(core: ShardCore, cell: Cell, hosted: Hosted, waiting: Waiting): void {
  core.batch.touch(cell)
  if (waiting.tag === 'timers') {
    core.batch.timerReads.push(waiting)
    return
  }
  if (waiting.tag === 'turns' || waiting.tag === 'late-results') {
    core.batch.turnReads.push(waiting)
    return
  }
  const view = cell.kind.host.view(hosted)
  if (waiting.tag === 'snapshot') {
    answer(core, cell, waiting.call, view)
    return
  }
  const { address } = cell
  const followers = core.followers.get(address) ?? new Set<number>()
  followers.add(waiting.call)
  core.batch.joined.push({ call: waiting.call, cell })
  core.followers.set(address, followers)
  core.batch.answersOf(cell).push([FromShard.change, waiting.call, view])
}

/** Answers a command whose key has a recorded outcome, without executing it. */
export function serveRecorded(core: ShardCore, cell: Cell, waiting: Waiting, recorded: StoredOutcome): void {
  const key = waiting.idempotency?.key ?? ''
  finish(core, waiting)
  if (recorded.fingerprint !== waiting.idempotency?.fingerprint) {
    settleError(core, cell, waiting, new IdempotencyConflict(cell.address, waiting.command?.name ?? '', key))
    return
  }
  core.count(Gauge.replayed)
  tapHandled(core, cell, waiting, 'replayed')
  const outcome = JSON.parse(recorded.outcome) as { readonly value?: unknown; readonly error?: PlainError } // Written by `recordOutcome`.
  if (outcome.error === undefined) settleValue(core, cell, waiting, outcome.value)
  else if (waiting.tag === 'ask') refuse(core, cell, waiting.call, fromPlain(outcome.error))
  else if (waiting.detail?.caller === undefined) answer(core, cell, waiting.call, undefined)
  else answerCaller(core, waiting.detail.caller, { error: outcome.error })
}

/** Answers a command that says nothing new under its natural key or delivery. */
export function serveDuplicate(core: ShardCore, cell: Cell, waiting: Waiting): void {
  finish(core, waiting)
  core.count(Gauge.duplicates)
  tapHandled(core, cell, waiting, 'duplicate')
  answer(core, cell, waiting.call, 'duplicate')
}

/** Joins a command to the one that has reserved its key and is not answered yet. */
export function serveReserved(core: ShardCore, cell: Cell, waiting: Waiting, reservation: OpenReply): void {
  core.batch.touch(cell)
  finish(core, waiting)
  tapHandled(core, cell, waiting, 'replayed')
  const error = join(core, reservation, waiting)
  if (error !== undefined) settleError(core, cell, waiting, error)
}

/** Lets a command edit the one that is being worked on under its name, if there is one; answers whether there was. */
export function serveEdit(core: ShardCore, cell: Cell, waiting: Waiting): boolean {
  const named = editOpen(core, waiting)
  if (named === 'accepted') return false
  finish(core, waiting)
  answer(core, cell, waiting.call, named)
  return true
}

/** Serves a command or query for the first time. */
export function serveCommand(core: ShardCore, cell: Cell, hosted: Hosted, waiting: Waiting): void {
  const { command } = waiting
  if (command === undefined) throw new Error('A read was served as a command.')
  core.batch.touch(cell)
  beginHandling(core)
  let outcome = 'ok'
  let failure: Error | undefined
  try {
    const stale = staleLeaseOf(core, cell, command.name, waiting.detail?.lease)
    if (stale !== undefined) throw stale
    if (command.kind === 'query') {
      settleValue(core, cell, waiting, replyOf(core, cell, waiting, hosted.snapshot))
    } else {
      const event = eventOf(core, command, waiting.input)
      const step = transition(core, cell, hosted, event, waiting)
      if (step.wishes.some(({ kind }) => kind === 'postpone')) {
        tapHandled(core, cell, waiting, 'postponed')
        core.handling = undefined
        postpone(core, cell, waiting)
        return
      }
      if (command.reply === 'deferred') outcome = serveDeferred(core, cell, hosted, waiting, step, event)
      else serveImmediate(core, cell, hosted, waiting, step, event)
    }
    core.count(Gauge.handled)
  } catch (error) {
    failure = asError(error)
    outcome = outcomeOf(failure)
    core.count(error instanceof CommandRejected ? Gauge.rejected : Gauge.failed)
    settleError(core, cell, waiting, failure)
  }
  finish(core, waiting)
  tapHandled(core, cell, waiting, outcome, failure)
  core.handling = undefined
  if (failure !== undefined && command.kind !== 'query' && isFault(failure)) {
    core.supervisor.failed(cell, { error: failure, because: command.name, isOwn: false })
  }
}

/** Whether an error is a fault of the actor, rather than of who called it. */
function isFault(error: Error): boolean {
  return error instanceof CommandFailed || error instanceof NotSerializable
}

function serveImmediate(core: ShardCore, cell: Cell, hosted: Hosted, waiting: Waiting, step: Step, event: EventLike): void {
  const wishes = wishesOf(core, cell, waiting, step)
  // Nobody hears the reply of a tell, unless its key may be asked for again.
  const isHeard = waiting.tag === 'ask' || waiting.idempotency !== undefined || waiting.detail?.caller !== undefined
  const reply = isHeard ? replyOf(core, cell, waiting, step.snapshot, event) : undefined
  accept(core, cell, hosted, step, event, () => chainThrough(cell, waiting))
  if (wishes.length > 0) performWishes(core, cell, wishes, { cause: undefined, chain: chainThrough(cell, waiting) })
  if (waiting.idempotency !== undefined) {
    recordOutcome(core, scopeOf(cell, waiting.command?.name ?? ''), waiting.idempotency, { value: reply })
  }
  recordNames(core, cell, waiting.command?.name ?? '', waiting.detail)
  settleValue(core, cell, waiting, reply)
}

/** The command becomes an open reply; an action of the same transition may close it at once. Answers how it went: `ok` or `open`. */
function serveDeferred(core: ShardCore, cell: Cell, hosted: Hosted, waiting: Waiting, step: Step, event: EventLike): 'ok' | 'open' {
  const { command, detail } = waiting
  const name = command?.name ?? ''
  const isAnswered = step.wishes.some(
    (wish) => (wish.kind === 'reply' || wish.kind === 'fail') && (wish.command === undefined || wish.command === name),
  )
  const refusal = isAnswered ? undefined : (cycleOf(core, cell, detail?.chain) ?? refusalOfOpenCall(cell))
  if (refusal !== undefined) throw refusal
  const wishes = wishesOf(core, cell, waiting, step)
  accept(core, cell, hosted, step, event, () => chainThrough(cell, waiting))
  const call = openReplyOf(core, waiting, 'reply')
  const { sequence } = call
  openCall(core, cell, call, command?.replyWithinMs ?? 0)
  if (call.isAsk) awaitReply(core, sequence, { call: waiting.call, cell, waiting: undefined })
  else answer(core, cell, waiting.call, undefined)
  performWishes(core, cell, wishes, { cause: sequence, chain: chainThrough(cell, waiting) })
  return isAnswered ? 'ok' : 'open'
}

/** A command as a call that is not answered yet. */
export function openReplyOf(core: ShardCore, waiting: Waiting, kind: OpenReply['kind']): OpenReply {
  const { command, idempotency, lane, input, detail } = waiting
  const { caller, chain, from, naturalKey, deliveries, lease } = detail ?? {}
  return {
    kind,
    sequence: core.takeSequence(),
    command: command?.name ?? '',
    lane,
    input,
    callers: caller === undefined ? [] : [caller],
    chain,
    idempotency,
    from,
    naturalKey,
    deliveries,
    lease,
    isAsk: waiting.tag === 'ask',
  }
}

/** Handles a command that has waited for the session, and got it. */
export function serveInstant(core: ShardCore, cell: Cell, hosted: Hosted, call: OpenReply): void {
  const { sequence, lane, input, chain, from } = call
  const command = cell.kind.definition.commands.get(call.command)
  const detail = { ...(chain === undefined ? {} : { chain }), ...(from === undefined ? {} : { from }) }
  const waiting = waitingOf({ tag: 'ask', call: 0, cell, command, lane, input, idempotency: undefined, at: 0, sequence: 0, detail })
  try {
    // Its definition has changed since it was accepted.
    if (command === undefined) throw new UnknownCommand(cell.address, call.command)
    const event = eventOf(core, command, input)
    const step = transition(core, cell, hosted, event, waiting)
    // It has waited already; there is no place to which it could go back.
    if (step.wishes.some(({ kind }) => kind === 'postpone')) throw new CommandRejected(cell.address, call.command, describeState(hosted))
    const wishes = wishesOf(core, cell, waiting, step)
    const value = replyOf(core, cell, waiting, step.snapshot, event)
    accept(core, cell, hosted, step, event, () => chainThrough(cell, waiting))
    const isDeferred = command.reply === 'deferred'
    if (isDeferred) {
      const deferred: OpenReply = { ...call, kind: 'reply' }
      cell.openCalls?.set(sequence, deferred)
      core.batch.openCall(core.numberOf(cell), deferred, false)
    }
    performWishes(core, cell, wishes, { cause: isDeferred ? sequence : undefined, chain: chainThrough(cell, waiting) })
    if (!isDeferred) settleReply(core, cell, call, { value })
  } catch (error) {
    core.count(error instanceof CommandRejected ? Gauge.rejected : Gauge.failed)
    const reason = asError(error)
    settleReply(core, cell, call, { error: reason, isRecorded: false, isTriedAgain: false })
    if (isFault(reason)) core.supervisor.failed(cell, { error: reason, because: call.command, isOwn: false })
  }
}

/** Lets a command wait until the state has changed. */
function postpone(core: ShardCore, cell: Cell, waiting: Waiting): void {
  const cycle = cycleOf(core, cell, waiting.detail?.chain)
  if (cycle !== undefined) {
    settleError(core, cell, waiting, cycle)
    finish(core, waiting)
    return
  }
  waiting.isServed = false
  cell.openMailbox().postpone(waiting.lane, waiting)
  core.waiting.add(waiting)
}

/** Handles an event that another actor or an effect has led to. */
export function serveEvent(core: ShardCore, cell: Cell, hosted: Hosted, waiting: Waiting): void {
  core.batch.touch(cell)
  finish(core, waiting)
  const own = typeOfEvent(waiting.input)
  if (own === WATCH || own === UNWATCH) {
    serveWatch(core, cell, hosted, waiting, own)
    return
  }
  const { answers, cause, chain, life } = waiting.detail ?? {}
  if (answers !== undefined && life !== undefined) {
    if (life === core.store.epoch) core.batch.childAnswers.push({ number: answers, input: waiting.input ?? {} })
    else core.count(Gauge.lateResults)
    return
  }
  const request = answers === undefined ? undefined : cell.openCalls?.get(answers)
  if (answers !== undefined && request?.kind !== 'request') {
    core.count(Gauge.lateResults)
    return
  }
  let event = { ...waiting.input } as EventLike // Written by this kernel with a type, unless it answers a request.
  let behalf: Behalf = { cause, chain: chain ?? NO_CHAIN }
  if (request?.kind === 'request') {
    closeCall(core, cell, request.sequence)
    event = eventOfAnswer(request, waiting.input ?? {})
    behalf = { cause: request.cause, chain: request.chain ?? NO_CHAIN }
  }
  try {
    serveStep(core, cell, hosted, event, behalf)
  } catch (error) {
    core.count(Gauge.failed)
    core.report(error)
    core.supervisor.failed(cell, { error, because: event.type, isOwn: true })
    const { storedAs: type } = cell.kind.definition
    bury(core, { type, key: cell.key, command: event.type, lane: waiting.lane, input: event, detail: { isEvent: true } }, error)
  }
}

/** Type of an event that waits; undefined for the answer to a request. */
export function typeOfEvent(input: object | null): string | undefined {
  return input !== null && 'type' in input && typeof input.type === 'string' ? input.type : undefined
}

/** One step for an event that is no command. Throws what the logic throws, with nothing changed. */
export function serveStep(core: ShardCore, cell: Cell, hosted: Hosted, event: EventLike, behalf: Behalf): void {
  const step = cell.kind.host.transition(hosted, event)
  if (!step.isAccepted || step.wishes.some(({ kind }) => kind === 'postpone')) return
  checkState(cell, hosted.snapshot, step)
  const wishes = checkWishes(core, cell, step.wishes)
  accept(core, cell, hosted, step, event, () => behalf.chain)
  performWishes(core, cell, wishes, behalf)
  tap(core, { kind: 'event.handled', actor: cell.address, event: event.type, revision: cell.revision })
}

/** Notes timers and actions that a step wants. */
export function absorb(core: ShardCore, cell: Cell, step: Step, chain: () => readonly ChainLink[]): void {
  for (const wish of step.timers) core.timers.wish(cell, wish)
  if (step.actions.length > 0) core.batch.releases.push({ cell, actions: step.actions, chain: chain() })
}

function eventOf(core: ShardCore, { name, isStamped }: AnyCommand, input: object | null): EventLike {
  const event: EventLike & { at?: number } = { ...input, type: name }
  // The time of the batch, which is what its commit is dated with: after a restart no stamp can be earlier.
  if (isStamped) event.at = core.batch.at
  return event
}

function transition(core: ShardCore, cell: Cell, hosted: Hosted, event: EventLike, waiting: Waiting): Step {
  const command = waiting.command?.name ?? ''
  let step: Step
  try {
    step = cell.kind.host.transition(hosted, event)
  } catch (error) {
    throw new CommandFailed(cell.address, command, messageOf(error), { cause: error })
  }
  if (!step.isAccepted)
    throw cycleOf(core, cell, waiting.detail?.chain) ?? new CommandRejected(cell.address, command, describeState(hosted))
  checkState(cell, hosted.snapshot, step)
  return step
}

/** What a command's step wants of others, checked. What is wrong with it is a fault of the actor, not of its caller. */
function wishesOf(core: ShardCore, cell: Cell, waiting: Waiting, step: Step): readonly CheckedWish[] {
  try {
    return checkWishes(core, cell, step.wishes)
  } catch (error) {
    throw new CommandFailed(cell.address, waiting.command?.name ?? '', messageOf(error), { cause: error })
  }
}

function chainThrough(cell: Cell, { command, detail }: Waiting): readonly ChainLink[] {
  return [...(detail?.chain ?? NO_CHAIN), { actor: cell.address, command: command?.name ?? '' }]
}

export function describeState({ snapshot }: Hosted): string {
  return JSON.stringify(snapshot.status === 'active' ? (snapshot.value ?? snapshot.status) : snapshot.status)
}

/** Refuses a step whose state JSON cannot carry. */
export function checkState(cell: Cell, before: Pick<Step['snapshot'], 'context' | 'output'>, step: Step): void {
  const { snapshot } = step
  const inContext = findJsonFault(snapshot.context, before.context)
  if (inContext !== undefined) throw notSerializable(cell, 'context', inContext)
  const inOutput = findJsonFault(snapshot.output, before.output)
  if (inOutput !== undefined) throw notSerializable(cell, 'output', inOutput)
  for (const wish of step.timers) {
    const fault = wish.kind === 'set' ? findJsonFault(wish.event) : undefined
    if (fault !== undefined) throw notSerializable(cell, 'delayed event', fault)
  }
  for (const wish of step.wishes) {
    const fault = wish.kind === 'set-timer' ? findJsonFault(wish.event) : undefined
    if (fault !== undefined) throw notSerializable(cell, 'timer event', fault)
  }
}

/** The answer that the state after a step gives; `event` is what has led to it, if anything has. */
function replyOf(core: ShardCore, cell: Cell, waiting: Waiting, snapshot: Step['snapshot'], event?: EventLike): unknown {
  const reply = waiting.command?.reply
  if (reply === undefined || reply === 'deferred') return undefined
  let value: unknown
  try {
    const input = inputOf(core, waiting, event)
    value = reply({ context: snapshot.context, value: snapshot.value, snapshot, input, key: decodeKey(cell.key) })
  } catch (error) {
    throw new CommandFailed(cell.address, waiting.command?.name ?? '', messageOf(error), { cause: error })
  }
  const fault = findJsonFault(value)
  if (fault !== undefined) throw notSerializable(cell, 'reply', fault)
  return value
}

/** What a reply function gets as input: with the time that the logic was told, where the command is stamped. */
function inputOf(core: ShardCore, { command, input }: Waiting, event: EventLike | undefined): object {
  if (command?.isStamped !== true) return input ?? {}
  return { ...input, at: event === undefined ? core.batch.at : (event as { readonly at?: number }).at } // Added by `eventOf`.
}

function notSerializable(cell: Cell, where: string, fault: { readonly path: string; readonly detail: string }): NotSerializable {
  return new NotSerializable(cell.address, fault.path === '' ? where : `${where}.${fault.path}`, fault.detail)
}

/** Makes a step the actor's state, in memory and in the batch. Throws `NotSerializable`, with nothing changed. */
function accept(core: ShardCore, cell: Cell, hosted: Hosted, step: Step, event: EventLike, chain: () => readonly ChainLink[]): void {
  if (step.snapshot !== hosted.snapshot) {
    const isJournaled = cell.kind.definition.persist === 'journal'
    const fault = isJournaled ? findJsonFault(event) : undefined
    if (fault !== undefined) throw notSerializable(cell, 'event', fault)
    const before = hosted.snapshot
    freezeState(step.snapshot, before)
    cell.kind.host.apply(hosted, step.snapshot)
    try {
      checkChildren(cell, hosted)
    } catch (error) {
      cell.kind.host.apply(hosted, before)
      throw error
    }
    cell.revision += 1
    core.markDirty(cell)
    if (before.status === 'active' && step.snapshot.status !== 'active') core.watches.halted(cell, 'done', null)
    if (isJournaled) {
      core.batch.journal.push({ actor: core.numberOf(cell), sequence: cell.revision, at: core.batch.at, event: JSON.stringify(event) })
    }
    if (cell.mailbox !== undefined && cell.mailbox.postponed > 0 && hasMoved(before, step.snapshot)) cell.mailbox.resume()
  }
  absorb(core, cell, step, chain)
}

/** Makes a state unchangeable: what changes it in place fails, instead of changing what was committed. */
export function freezeState(after: Step['snapshot'], before?: Step['snapshot']): void {
  freeze(after.context, before?.context)
  freeze(after.output, before?.output)
}

/** Whether a machine is in another state than before; logic without state values moves with every change. */
function hasMoved(before: Step['snapshot'], after: Step['snapshot']): boolean {
  if (before.value === undefined || before.status !== after.status) return true
  return before.value !== after.value && JSON.stringify(before.value) !== JSON.stringify(after.value)
}

/** The state of children is part of the snapshot, and only writing it shows whether JSON can carry it. */
export function checkChildren(cell: Cell, hosted: Hosted): void {
  if (!cell.kind.isDurable || !hosted.hasChildren) return
  try {
    cell.kind.host.encode(hosted)
  } catch (error) {
    throw new NotSerializable(cell.address, 'children', `cannot be written (${messageOf(error)})`)
  }
}

/** Notes that a command waits no more; the stored one is finished. */
export function finish(core: ShardCore, waiting: Waiting): void {
  waiting.isFinished = true
  if (waiting.detail !== undefined) unnameWaiting(waiting)
  if (waiting.sequence === 0) return
  core.batch.finished.push(waiting.sequence)
  core.batch.served.push(waiting)
}

/** Gives a command's value to whoever waits for it. */
function settleValue(core: ShardCore, cell: Cell, waiting: Waiting, value: unknown): void {
  if (waiting.detail?.caller !== undefined) answerCaller(core, waiting.detail.caller, { output: value })
  else answer(core, cell, waiting.call, waiting.tag === 'ask' ? value : undefined)
}

/** Tells whoever waits for a command that it was not handled, or keeps it as a dead letter. */
export function settleError(core: ShardCore, cell: Cell, waiting: Waiting, error: Error): void {
  if (waiting.tag === 'ask') {
    refuse(core, cell, waiting.call, error)
    return
  }
  const { lane, input, idempotency, command, detail } = waiting
  answer(core, cell, waiting.call, undefined)
  if (detail?.caller !== undefined) {
    answerCaller(core, detail.caller, { error: plainError(error) })
    return
  }
  const { chain: _chain, ...kept } = detail ?? {}
  bury(
    core,
    { type: cell.kind.definition.storedAs, key: cell.key, command: command?.name ?? '', lane, input, idempotency, detail: kept },
    error,
  )
}

interface PlainError {
  readonly code: string
  readonly message: string
}

function fromPlain(error: PlainError): Error {
  return decodeError({ code: error.code, message: error.message, fields: { ...error }, stack: undefined, cause: undefined })
}
