/**
 * What a transition wants to send: checked before the step is accepted, performed once it is.
 *
 * A wish that is wrong (an input that its schema refuses, an unknown definition) fails the command with nothing changed.
 * After the checks nothing throws: a message that finds no room or no receiver is answered or kept, never the sender's
 * failure.
 */
import { createHash } from 'node:crypto'
import {
  checkDueAt,
  checkIdempotencyKey,
  checkInput,
  checkMs,
  checkName,
  checkPreempt,
  checkValue,
  fingerprintOfInput,
} from '../definition/input.ts'
import { answerWithinMsOf } from '../definition/command.ts'
import type { ActorDefinition } from '../definition/define-actor.ts'
import { encodeKey } from '../definition/key.ts'
import { asError, CommandFailed, InvalidInput } from '../errors.ts'
import type { TimerWish } from '../hosting/host.ts'
import type { PreemptMode, TurnCause } from '../definition/turn-context.ts'
import type { CancelTurnWish, EffectWish, FailWish, ReplyWish, RequestWish, SetTimerWish, TellWish, Wish } from '../hosting/wish.ts'
import { answerCaller, deliver, plainError } from './parcels.ts'
import { checkReply, meantBy, openCall, repetitionOf, settleReply } from './calls.ts'
import type { Behalf, Settlement } from './calls.ts'
import type { Cell } from './cell.ts'
import type { ShardCore } from './core.ts'
import type { Parcel } from './detail.ts'
import { Gauge } from './gauges.ts'
import { laneOf, PRIORITIES } from './lanes.ts'
import { cancelTurn } from './preemption.ts'
import { handlingId } from '../protocol/tap.ts'
import { isPreemptMode } from './session.ts'
import { checkWatch, performWatch } from './watches.ts'
import type { CheckedWatch } from './watches.ts'

/** A wish that has been checked. */
export type CheckedWish =
  | { readonly kind: 'tell'; readonly parcel: Parcel }
  | { readonly kind: 'request'; readonly wish: RequestWish; readonly parcel: Parcel; readonly timeoutMs: number }
  | ReplyWish
  | FailWish
  | { readonly kind: 'effect'; readonly wish: EffectWish; readonly input: string; readonly delayMs: number }
  | { readonly kind: 'cancel-effect'; readonly label: string }
  | { readonly kind: 'timer'; readonly timer: TimerWish }
  | {
      readonly kind: 'cancel-turn'
      readonly turn: number
      readonly attempt: number | undefined
      readonly mode: PreemptMode
      readonly by: TurnCause
    }
  | CheckedWatch

const REQUEST_TIMEOUT_MS = 30_000
const CHAIN_MAX = 64
const REPEATS: ReadonlySet<unknown> = new Set([undefined, 'fixed-rate', 'fixed-delay'])
const RESTARTS: ReadonlySet<unknown> = new Set([undefined, 'deadline', 'remaining', 'restart'])
const NONE: readonly CheckedWish[] = []
const TIMER_NAME_MAX = 200

/** Checks what a transition wants. Throws `InvalidInput`, naming the field. */
export function checkWishes(core: ShardCore, cell: Cell, wishes: readonly Wish[]): readonly CheckedWish[] {
  if (wishes.length === 0) return NONE
  const checked: CheckedWish[] = []
  for (const wish of wishes) {
    const one = checkWish(core, cell, wish)
    if (one !== undefined) checked.push(one)
  }
  return checked
}

function checkWish(core: ShardCore, cell: Cell, wish: Wish): CheckedWish | undefined {
  switch (wish.kind) {
    case 'tell':
      return { kind: 'tell', parcel: checkSend(core, cell, wish) }
    case 'request':
      return checkRequest(core, cell, wish)
    case 'reply':
      checkDeferred(cell, wish)
      return wish
    case 'fail':
      checkDeferred(cell, wish)
      if (typeof wish.message !== 'string') throw new InvalidInput('fail', 'message', 'must be a string')
      if (typeof wish.retryable !== 'boolean') throw new InvalidInput('fail', 'retryable', 'must be true or false')
      return wish
    case 'effect':
      return checkEffect(core, wish)
    case 'cancel-effect':
      return { kind: 'cancel-effect', label: checkName('cancelEffect', 'label', wish.label) }
    case 'set-timer':
      return { kind: 'timer', timer: checkTimer(core, wish) }
    case 'cancel-timer':
      return { kind: 'timer', timer: { kind: 'cancel', name: checkTimerName('cancelTimer', wish.name) } }
    case 'cancel-turn':
      return checkCancelTurn(wish)
    case 'watch':
    case 'unwatch':
      return checkWatch(core, cell, wish)
    case 'postpone':
      return undefined // Looked at before the step is accepted.
  }
}

/** Performs what a transition wants, as part of the open batch. */
export function performWishes(core: ShardCore, cell: Cell, wishes: readonly CheckedWish[], behalf: Behalf): void {
  for (const wish of wishes) perform(core, cell, wish, behalf)
}

function perform(core: ShardCore, cell: Cell, wish: CheckedWish, behalf: Behalf): void {
  switch (wish.kind) {
    case 'tell':
      deliver(core, wish.parcel)
      return
    case 'request':
      performRequest(core, cell, wish, behalf)
      return
    case 'reply':
      performReply(core, cell, wish, behalf)
      return
    case 'fail':
      performFail(core, cell, wish, behalf)
      return
    case 'effect':
      performEffect(core, cell, wish, behalf)
      return
    case 'cancel-effect':
      core.effects.cancel(cell.kind.definition.storedAs, cell.key, wish.label)
      return
    case 'timer':
      core.timers.wish(cell, wish.timer)
      return
    case 'cancel-turn':
      // Its stretch ends, or what does not run is dealt with, once this step is done.
      cancelTurn(core, cell, wish)
      return
    case 'watch':
    case 'unwatch':
      performWatch(core, cell, wish, behalf)
  }
}

/** Checks a message to another actor. Throws `InvalidInput`, naming the field. */
export function checkSend(core: ShardCore, cell: Cell, wish: TellWish | RequestWish): Parcel {
  const operation = `${wish.kind} of ${cell.address}`
  const given = wish.definition as ActorDefinition | undefined // Modules that import each other may get around its type.
  if (given === undefined) {
    throw new InvalidInput(operation, 'definition', 'is undefined: between modules that import each other, give a function, `() => other`')
  }
  const kind = core.kindOf(given.storedAs)
  if (kind === undefined) throw new InvalidInput(operation, 'definition', 'is not among the actors that the system was opened with')
  const { definition } = kind
  const command = definition.commands.get(wish.command)
  if (command === undefined) throw new InvalidInput(operation, 'command', `"${wish.command}" is no command of ${definition.type}`)
  if (wish.kind === 'tell' && command.kind === 'query') throw new InvalidInput(operation, 'command', 'is a query, which changes nothing')
  const name = `${definition.type}.${command.name}`
  const input = checkInput(name, command.input, wish.input)
  const priority = wish.priority ?? command.priority
  if (!PRIORITIES.includes(priority)) throw new InvalidInput(name, 'priority', `must be one of ${PRIORITIES.join(', ')}`)
  const { idempotencyKey, preempt } = wish
  const dueAt = checkDueAt(name, wish.delayMs, wish.deliverAt, core.clock.wall())
  if (dueAt !== undefined && !kind.isDurable)
    throw new InvalidInput(name, 'delayMs', 'has no meaning for a volatile actor, which keeps nothing')
  return {
    type: definition.storedAs,
    key: encodeKey(definition.type, wish.key),
    command: command.name,
    lane: laneOf(priority),
    input,
    detail: {
      from: cell.address,
      ...(core.handling === undefined ? {} : { via: handlingId(core.life, core.handling) }),
      ...(preempt === undefined ? {} : { preempt: checkPreempt(name, preempt) }),
    },
    ...(dueAt === undefined ? {} : { dueAt }),
    ...(idempotencyKey === undefined
      ? {}
      : {
          idempotency: {
            key: checkIdempotencyKey(name, idempotencyKey, command.kind, kind.isDurable),
            fingerprint: fingerprintOfInput(input),
          },
        }),
  }
}

/** A misspelt command would be answered by nobody. */
function checkDeferred(cell: Cell, { kind, command }: ReplyWish | FailWish): void {
  if (command === undefined || cell.kind.definition.commands.get(command)?.reply === 'deferred') return
  throw new InvalidInput(`${kind} of ${cell.address}`, 'command', `"${command}" is no command with a deferred reply`)
}

function checkRequest(core: ShardCore, cell: Cell, wish: RequestWish): CheckedWish {
  const operation = `request of ${cell.address}`
  const parcel = checkSend(core, cell, wish)
  const timeoutMs = checkMs(operation, 'timeoutMs', wish.timeoutMs ?? answerWithinMs(core, parcel), 1)
  for (const field of ['onDone', 'onError'] as const) {
    if (typeof wish[field] !== 'string' || wish[field] === '') throw new InvalidInput(operation, field, 'must be the type of an event')
  }
  return { kind: 'request', wish, parcel, timeoutMs }
}

/** How long an answer is waited for where nobody says: a turn takes its time. */
export function answerWithinMs(core: ShardCore, { type, command }: Pick<Parcel, 'type' | 'command'>): number {
  const definition = core.kindOf(type)?.definition.commands.get(command)
  return definition === undefined ? REQUEST_TIMEOUT_MS : answerWithinMsOf(definition)
}

function checkEffect(core: ShardCore, wish: EffectWish): CheckedWish {
  const operation = `effect ${wish.name}`
  const definition = core.effects.definitionOf(wish.name)
  if (definition === undefined) throw new InvalidInput(operation, 'name', 'is not among the effects that the system was opened with')
  const delayMs = checkMs(operation, 'delayMs', wish.delayMs ?? 0, 0)
  if (wish.label !== undefined) checkName(operation, 'label', wish.label)
  if (wish.idempotencyKey !== undefined) checkName(operation, 'idempotencyKey', wish.idempotencyKey)
  return {
    kind: 'effect',
    wish,
    input: JSON.stringify(checkValue(operation, definition.input, wish.input) ?? null),
    delayMs: Math.ceil(delayMs),
  }
}

function checkCancelTurn({ turn, attempt, mode, reason }: CancelTurnWish): CheckedWish {
  if (!Number.isSafeInteger(turn)) throw new InvalidInput('cancelTurn', 'turn', 'must be the number of a turn')
  if (attempt !== undefined && !Number.isSafeInteger(attempt))
    throw new InvalidInput('cancelTurn', 'attempt', 'must be the number of an attempt')
  if (!isPreemptMode(mode)) throw new InvalidInput('cancelTurn', 'mode', 'must be "steal", "abort-keep" or "abort-drop"')
  if (reason !== undefined) checkName('cancelTurn', 'reason', reason)
  return { kind: 'cancel-turn', turn, attempt, mode, by: reason === undefined ? {} : { reason } }
}

function checkTimer(core: ShardCore, wish: SetTimerWish): TimerWish {
  const name = checkTimerName('setTimer', wish.name)
  const operation = `setTimer ${name}`
  const { everyMs, repeat, event } = wish
  if (everyMs !== undefined) checkMs(operation, 'everyMs', everyMs, 1)
  if (repeat !== undefined && everyMs === undefined) throw new InvalidInput(operation, 'repeat', 'needs everyMs')
  if (!REPEATS.has(repeat)) throw new InvalidInput(operation, 'repeat', 'must be "fixed-rate" or "fixed-delay"')
  if (!RESTARTS.has(wish.onRestart)) throw new InvalidInput(operation, 'onRestart', 'must be "deadline", "remaining" or "restart"')
  if (!isEvent(event)) throw new InvalidInput(operation, 'event', 'must be an event, or the type of one')
  const delayMs = wish.delayMs ?? (wish.at === undefined ? everyMs : undefined)
  const now = core.clock.wall()
  const at = checkDueAt(operation, delayMs, wish.at, now, 'at')
  if (at === undefined) throw new InvalidInput(operation, 'delayMs', 'must say when: delayMs, at or everyMs')
  const everyWhole = everyMs === undefined ? 0 : Math.ceil(everyMs)
  return {
    kind: 'set',
    name,
    event,
    delayMs: Math.max(0, at - now),
    at,
    everyMs: repeat === 'fixed-delay' ? -everyWhole : everyWhole,
    onRestart: wish.onRestart,
  }
}

/** What a machine states as an event, whose types it may have got around. */
function isEvent(event: unknown): boolean {
  return typeof event === 'object' && event !== null && 'type' in event && typeof event.type === 'string' && event.type !== ''
}

function checkTimerName(operation: string, name: unknown): string {
  if (typeof name === 'string' && name !== '' && name.length <= TIMER_NAME_MAX && !name.startsWith('~') && name.isWellFormed()) return name
  throw new InvalidInput(operation, 'name', `must be a string of 1 to ${TIMER_NAME_MAX} characters that does not begin with "~"`)
}

function performRequest(
  core: ShardCore,
  cell: Cell,
  { wish, parcel, timeoutMs }: Extract<CheckedWish, { kind: 'request' }>,
  { cause, chain }: Behalf,
): void {
  const sequence = core.takeSequence()
  const to = core.addressOf(parcel.type, parcel.key)
  openCall(
    core,
    cell,
    { kind: 'request', sequence, to, command: parcel.command, onDone: wish.onDone, onError: wish.onError, timeoutMs, chain, cause },
    timeoutMs,
  )
  const caller = { type: cell.kind.definition.storedAs, key: cell.key, request: sequence }
  const cycle = repetitionOf(chain, to, parcel.command)
  if (cycle === undefined) deliver(core, { ...parcel, detail: { ...parcel.detail, caller, chain: chain.slice(-CHAIN_MAX) } })
  else answerCaller(core, caller, { error: plainError(cycle) })
}

function performReply(core: ShardCore, cell: Cell, wish: ReplyWish, behalf: Behalf): void {
  const meant = meantBy(cell, wish, behalf)
  if (meant.length === 0) core.count(Gauge.lateResults)
  for (const call of meant) settleReply(core, cell, call, replyTo(cell, call.command, wish.value))
}

/** A reply that cannot be given fails the command, with what the machine has done in place. */
function replyTo(cell: Cell, command: string, value: unknown): Settlement {
  try {
    return { value: checkReply(cell, command, value) }
  } catch (error) {
    return { error: asError(error), isRecorded: true, isTriedAgain: false }
  }
}

function performFail(core: ShardCore, cell: Cell, wish: FailWish, behalf: Behalf): void {
  const { message, retryable } = wish
  const meant = meantBy(cell, wish, behalf)
  if (meant.length === 0) core.count(Gauge.lateResults)
  for (const call of meant) {
    settleReply(core, cell, call, {
      error: new CommandFailed(cell.address, call.command, message, { retryable }),
      isRecorded: !retryable,
      isTriedAgain: retryable,
    })
  }
}

function performEffect(
  core: ShardCore,
  cell: Cell,
  { wish, input, delayMs }: Extract<CheckedWish, { kind: 'effect' }>,
  { cause, chain, turn }: Behalf,
): void {
  const { name, label } = wish
  const { storedAs: type } = cell.kind.definition
  core.effects.promise({
    name,
    type,
    key: cell.key,
    label,
    input,
    delayMs,
    turn,
    idempotencyKey: wish.idempotencyKey ?? keyOf(core, cell, name),
    detail: { ...(cause === undefined ? {} : { cause }), ...(chain.length === 0 ? {} : { chain }) },
  })
}

/**
 * A key for an effect that no other effect has, here or in another system: the sequence that it will get is never used
 * twice on this shard, and the moment tells systems with equal actors apart.
 */
function keyOf(core: ShardCore, cell: Cell, name: string): string {
  const text = JSON.stringify([cell.address, name, core.index, core.store.epoch, core.nextSequence, core.batch.at])
  return createHash('sha256').update(text).digest('base64url').slice(0, 32)
}
