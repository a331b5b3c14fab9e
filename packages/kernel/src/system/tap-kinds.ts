/**
 * The kinds of events that the tap tells, with their fields: what a filter may name, and what the reference page lists.
 * Made from the types of `protocol/tap.ts`: a kind or field that is missing here does not compile.
 */
import { InvalidInput } from '../errors.ts'
import type { ShardTapEvent, TapKind } from '../protocol/tap.ts'

/** What a listener may ask for: a kind, or all kinds with the same beginning, such as `turn.*`. */
export type TapPattern = TapKind | (TapKind extends `${infer Subject}.${string}` ? `${Subject}.*` : never)

/** The event of a kind. */
type EventOf<Kind extends TapKind, Event = ShardTapEvent> = Event extends { readonly kind: infer Kinds }
  ? Kind extends Kinds
    ? Event
    : never
  : never

/** Every field that an event has beside its kind; `?` stands for one that may be absent. */
type FieldsOf<Event> = { readonly [Field in Exclude<keyof Event, 'kind'>]-?: undefined extends Event[Field] ? '?' : '' }

const HANDLED = {
  actor: '',
  command: '',
  id: '',
  cause: '?',
  from: '?',
  call: '',
  lane: '',
  outcome: '',
  error: '?',
  waitedMs: '',
  revision: '',
} as const
const ACTOR = { actor: '' } as const
const HELD = { actor: '', error: '?' } as const
const TURN = { actor: '', command: '', turn: '', attempt: '', epoch: '', outcome: '?', by: '?', mode: '?' } as const
const LEASE = { actor: '', name: '', owner: '', epoch: '', how: '?' } as const
const TIMER = { actor: '', name: '', dueAt: '?' } as const
const EFFECT = { actor: '', effect: '', idempotencyKey: '', attempt: '', error: '?' } as const
const SHARD = { error: '?', serving: '?' } as const

const EVENTS: { readonly [Kind in TapKind]: FieldsOf<EventOf<Kind>> } = {
  'command.handled': HANDLED,
  'event.handled': { actor: '', event: '', cause: '?', error: '?', revision: '' },
  'batch.committed': { commands: '', actors: '', accepted: '', finished: '', commitMs: '' },
  'batch.failed': { commands: '', error: '' },
  'actor.activated': ACTOR,
  'actor.passivated': ACTOR,
  'actor.restarted': { actor: '', because: '?', error: '?', failures: '', backoffMs: '' },
  'actor.quarantined': HELD,
  'actor.stopped': HELD,
  'actor.released': HELD,
  'turn.started': TURN,
  'turn.resumed': TURN,
  'turn.parked': TURN,
  'turn.requeued': TURN,
  'turn.ended': TURN,
  'turn.interrupted': TURN,
  'turn.progress': { actor: '', command: '', turn: '' },
  'lease.granted': LEASE,
  'lease.released': LEASE,
  'timer.set': TIMER,
  'timer.cancelled': TIMER,
  'timer.fired': TIMER,
  'effect.promised': EFFECT,
  'effect.started': EFFECT,
  'effect.delayed': EFFECT,
  'effect.done': EFFECT,
  'effect.failed': EFFECT,
  'letter.kept': { actor: '', command: '', reason: '', error: '' },
  'late.result': { actor: '', epoch: '' },
  'shard.started': SHARD,
  'shard.degraded': SHARD,
  'shard.recovered': SHARD,
  'shard.stopped': SHARD,
  'thread.died': SHARD,
  'thread.hung': SHARD,
  'thread.restarted': SHARD,
  'thread.abandoned': SHARD,
  'tap.lost': { count: '' },
}

/** Every kind of event with the names of its own fields; one that may be absent ends with `?`. Every event has `version`, `sequence`, `shard`, `at` and `kind` too. */
export const TAP_EVENTS: Readonly<Record<TapKind, readonly string[]>> = mapValues(EVENTS, (fields) =>
  Object.entries(fields).map(([name, mark]) => `${name}${mark}`),
)

const KINDS = Object.keys(EVENTS) as readonly TapKind[] // The keys of a record over exactly these.

/** The kinds that a filter names. Throws `InvalidInput` for one that does not exist. */
export function kindsOf(operation: string, patterns: unknown): ReadonlySet<TapKind> {
  if (!Array.isArray(patterns)) throw new InvalidInput(operation, 'kinds', 'must be a list of kinds of events')
  if (patterns.length === 0) throw new InvalidInput(operation, 'kinds', 'names no kind of event: leave it out for all')
  const meant = patterns.flatMap((pattern: unknown) => {
    const found = KINDS.filter((kind) => kind === pattern || `${kind.slice(0, kind.indexOf('.'))}.*` === pattern)
    if (found.length === 0) throw new InvalidInput(operation, 'kinds', `${JSON.stringify(pattern)} is no kind of event`)
    return found
  })
  return new Set(meant)
}

function mapValues<Key extends string, From, To>(record: Readonly<Record<Key, From>>, map: (value: From) => To): Readonly<Record<Key, To>> {
  const mapped = Object.entries<From>(record).map(([key, value]) => [key, map(value)] as const)
  return Object.fromEntries(mapped) as Record<Key, To> // The same keys.
}
