/** Effects: tried after the promise, at least once, always under one key, and never after a cancel that came before the claim (G10). */
import { InvalidHistory } from './history.ts'
import { Anomalies } from './verdict.ts'
import type { Verdict } from './verdict.ts'

/**
 * An effect was promised. To be told where nobody can have performed it yet: in the transition that promises it, or before the call
 * that makes an actor promise it, with `certain: false`, and again when that call was acknowledged.
 */
export interface EffectPromised {
  readonly type: 'promised'
  /** Names this effect; no other of the test has it. It has to be in the effect's input, so that its receiver can tell it. */
  readonly effect: string
  /** The key under which it was promised, if the test knows it; else the first one that arrives is the key. */
  readonly key?: string
  /** False if nobody knows yet whether it was promised: then it may be delivered and need not. Default true. */
  readonly certain?: boolean
}

/** An attempt has begun: told by `effect.started` of the tap, or where the handler begins. */
export interface EffectClaimed {
  readonly type: 'claimed'
  readonly effect: string
}

/** A cancel, or another effect under its label, was acknowledged. Before it was, it need not be told at all. */
export interface EffectCancelled {
  readonly type: 'cancelled'
  readonly effect: string
  /** False if nobody knows whether the cancel took effect: then the effect may be delivered and need not. Default true. */
  readonly certain?: boolean
}

/** The receiver saw it performed. */
export interface EffectDelivered {
  readonly type: 'delivered'
  readonly effect: string
  /** The key that came along. */
  readonly key: string
}

/** It was given up, and is a dead letter. */
export interface EffectGivenUp {
  readonly type: 'given-up'
  readonly effect: string
}

/** What `checkEffects` looks at, in the order in which it happened. */
export type EffectEvent = EffectPromised | EffectClaimed | EffectCancelled | EffectDelivered | EffectGivenUp

/**
 * What can be wrong with effects. `lost`: promised, and neither delivered nor cancelled nor given up. `unpromised`: tried without a
 * promise, or before it. `key-changed`: delivered under another key than before. `after-cancel`: tried for the first time after its
 * cancel was acknowledged.
 */
export type EffectAnomaly = 'lost' | 'unpromised' | 'key-changed' | 'after-cancel'

/** The end of the test. */
export interface EffectOptions {
  /** Whether everything that was promised has had the time to be performed by the end. Default true; false: nothing counts as lost. */
  readonly settled?: boolean
}

/** How much was looked at. */
export interface EffectCounts {
  readonly promised: number
  readonly delivered: number
  /** Deliveries of what had been delivered before. */
  readonly repeated: number
  readonly cancelled: number
  readonly givenUp: number
}

interface Effect {
  readonly id: string
  isPromised: boolean
  isCertain: boolean
  key: string | undefined
  isClaimed: boolean
  isDelivered: boolean
  isGivenUp: boolean
  /** Position of its cancel, and whether that is known to have taken effect. */
  cancelledAt: number | undefined
  isCancelled: boolean
}

/** Checks effects. Throws `InvalidHistory` for a promise that is told with two keys. */
export function checkEffects(events: readonly EffectEvent[], { settled = true }: EffectOptions = {}): Verdict<EffectAnomaly, EffectCounts> {
  const found = new Anomalies<EffectAnomaly>()
  const effects = new Map<string, Effect>()
  let repeated = 0
  for (const [position, event] of events.entries()) {
    const effect = effects.get(event.effect) ?? newEffect(event.effect)
    effects.set(event.effect, effect)
    switch (event.type) {
      case 'promised':
        promise(effect, event, position)
        break
      case 'cancelled':
        effect.cancelledAt ??= position
        effect.isCancelled ||= event.certain !== false
        break
      case 'claimed':
        lookAtAttempt(effect, `attempted (event ${position})`, found)
        break
      case 'delivered':
        if (effect.isDelivered) repeated += 1
        // An attempt that was told has been looked at; this one counts by itself only if nothing of it was told.
        if (!effect.isClaimed) lookAtAttempt(effect, `delivered (event ${position})`, found)
        effect.isDelivered = true
        effect.key ??= event.key
        if (effect.key !== event.key) {
          found.add(
            'key-changed',
            `effect ${effect.id} was delivered under key ${event.key} (event ${position}), and its key is ${effect.key}`,
          )
        }
        break
      case 'given-up':
        effect.isGivenUp = true
        break
    }
  }
  const all = [...effects.values()]
  for (const { id, isPromised, isCertain, isDelivered, isGivenUp, cancelledAt } of all) {
    if (!settled || !isPromised || !isCertain || isDelivered || isGivenUp || cancelledAt !== undefined) continue
    found.add('lost', `effect ${id} was promised, and neither delivered nor cancelled nor given up`)
  }
  return found.verdict({
    promised: all.filter(({ isPromised }) => isPromised).length,
    delivered: all.filter(({ isDelivered }) => isDelivered).length,
    repeated,
    cancelled: all.filter(({ cancelledAt }) => cancelledAt !== undefined).length,
    givenUp: all.filter(({ isGivenUp }) => isGivenUp).length,
  })
}

function newEffect(id: string): Effect {
  const nothing = { isPromised: false, isCertain: false, isClaimed: false, isDelivered: false, isGivenUp: false, isCancelled: false }
  return { id, key: undefined, cancelledAt: undefined, ...nothing }
}

function promise(effect: Effect, { key, certain = true }: EffectPromised, position: number): void {
  if (effect.isPromised && key !== undefined && effect.key !== undefined && key !== effect.key) {
    throw new InvalidHistory(position, `effect ${effect.id} was told with key ${effect.key} before`)
  }
  effect.isPromised = true
  effect.isCertain ||= certain
  effect.key ??= key
}

function lookAtAttempt(effect: Effect, what: string, found: Anomalies<EffectAnomaly>): void {
  const { id, isPromised, isClaimed, isCancelled, cancelledAt } = effect
  effect.isClaimed = true
  if (!isPromised) found.add('unpromised', `effect ${id} was ${what} without a promise before it`)
  else if (isCancelled && !isClaimed) {
    found.add('after-cancel', `effect ${id} was ${what} for the first time after its cancel was acknowledged (event ${cancelledAt})`)
  }
}
