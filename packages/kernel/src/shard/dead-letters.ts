/**
 * Dead letters: messages that nobody waits for and that could not be handled, kept with their reason.
 *
 * Written in the same commit that gives a message up; at the bound the oldest are lost, and counted. What operators do
 * with them is in `letters.ts`.
 */
import { encodeError } from '../errors.ts'
import { outcomeOf } from '../outcomes.ts'
import type { ShardCore } from './core.ts'
import type { Detail, Parcel } from './detail.ts'
import type { EffectDetail } from './effect.ts'
import { Gauge } from './gauges.ts'
import { tap } from './tap.ts'

/** An effect that was given up, as far as it takes to promise it again. */
export interface EffectLetter {
  readonly name: string
  readonly idempotencyKey: string
  readonly type: string
  readonly key: string
  readonly label: string | undefined
  readonly input: unknown
  readonly attempts: number
  readonly behalf: EffectDetail | undefined
}

/** What a letter keeps beside its columns. */
export interface LetterDetail extends Detail {
  readonly lane?: number
  readonly dueAt?: number
  readonly idempotency?: { readonly key: string; readonly fingerprint: string }
  readonly effect?: {
    readonly idempotencyKey: string
    readonly label?: string
    readonly attempts: number
    /** The command on whose behalf it was promised. */
    readonly behalf?: EffectDetail
  }
}

/** Keeps a message that could not be handled. Those of actors without a store are only counted. */
export function bury(core: ShardCore, parcel: Parcel, error: unknown): void {
  const kind = core.kindOf(parcel.type)
  if (kind?.isDurable === false) {
    core.count(Gauge.lostTells)
    return
  }
  const { type, key, detail, idempotency, dueAt } = parcel
  const cell = kind === undefined ? undefined : core.residents.get(kind, key)
  const kept: LetterDetail = {
    ...detail,
    lane: parcel.lane,
    ...(dueAt === undefined ? {} : { dueAt }),
    ...(idempotency === undefined ? {} : { idempotency }),
  }
  const revision = cell?.hosted === undefined ? undefined : cell.revision
  keep(core, { type, key, command: parcel.command, input: parcel.input, naturalKey: detail?.naturalKey, revision, detail: kept }, error)
}

/** Keeps an effect that was given up. */
export function buryEffect(core: ShardCore, effect: EffectLetter, error: unknown): void {
  const { name, idempotencyKey, type, key, label, input, attempts, behalf } = effect
  const detail: LetterDetail = {
    effect: { idempotencyKey, ...(label === undefined ? {} : { label }), attempts, ...(behalf === undefined ? {} : { behalf }) },
  }
  keep(core, { type, key, command: name, input, naturalKey: undefined, revision: undefined, detail }, error)
}

interface Given {
  readonly type: string
  readonly key: string
  readonly command: string
  readonly input: unknown
  readonly naturalKey: string | undefined
  readonly revision: number | undefined
  readonly detail: LetterDetail
}

function keep(core: ShardCore, { type, key, command, input, naturalKey, revision, detail }: Given, error: unknown): void {
  const { stack: _stack, ...encoded } = encodeError(error)
  const { code, message } = encoded
  tap(core, { kind: 'letter.kept', actor: core.addressOf(type, key), command, reason: outcomeOf(error), error: { code, message } })
  core.batch.deadLetters.push({
    sequence: core.takeSequence(),
    type,
    key,
    command,
    reason: outcomeOf(error),
    error: JSON.stringify(encoded),
    input: JSON.stringify(input ?? null),
    naturalKey,
    revision,
    detail: JSON.stringify(detail),
    at: core.batch.at,
  })
}
