/** What an effect is on its way: promised, claimed, running, ended. Data only; `effects.ts` moves it. */
import type { DueEffect } from '@bailiwick/store'
import type { EffectDefinition } from '../definition/define-effect.ts'
import type { Timer } from '../seams/seams.ts'
import type { Alarm } from './alarm.ts'
import type { ChainLink } from './detail.ts'

/** An effect as a transition or an operator promises it. */
export interface EffectPromise {
  readonly name: string
  readonly type: string
  readonly key: string
  readonly idempotencyKey: string
  readonly label: string | undefined
  /** The encoded input. */
  readonly input: string
  readonly detail: EffectDetail | undefined
  readonly delayMs: number
  /** The turn on whose behalf it is promised. */
  readonly turn?: number | undefined
}

/** What an effect carries beside its input. */
export interface EffectDetail {
  /** The open call on whose behalf it was promised. */
  readonly cause?: number
  readonly chain?: readonly ChainLink[]
  /** It is not known what the last attempt did. */
  readonly isUnknown?: true
}

/** An attempt under way. */
export interface Run {
  readonly abort: AbortController
  /** Fires when it has ended, however it did. */
  readonly over: AbortController
  readonly timer: Timer
}

/** The effects of one definition on a shard. */
export interface EffectQueue {
  readonly definition: EffectDefinition
  readonly alarm: Alarm
  readonly running: Map<number, Run>
  /** Claimed and not yet committed. */
  claiming: number
}

/** An attempt that begins once its batch is committed. */
export interface EffectClaim {
  readonly queue: EffectQueue
  readonly row: DueEffect
}

/** How an attempt ended. */
export interface EffectEnd {
  readonly queue: EffectQueue
  readonly row: DueEffect
  readonly attempt: number
  readonly result: { readonly output: unknown } | { readonly error: unknown; readonly isLast: boolean; readonly isUnknown: boolean }
}
