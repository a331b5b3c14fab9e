/**
 * The actors behind traces: one for each chain, which decides the order and signs, and one for each full segment, which keeps
 * its records.
 *
 * The hash is computed where the order is decided, so the shard's thread has to know the secret; no state does. And it is computed
 * once: the chain is not journaled, because events that are replayed would be signed anew, whatever somebody has made of them in
 * the file. Its state holds the records of the segment that is not full, and is written with every batch; a full segment leaves it
 * in one message, in the commit that fills it. Nothing is signed on top of a state whose own signature does not hold.
 */
import { command, defineActor, encodeKey, InvalidDefinition, query, stamped, tell } from '@bailiwick/kernel'
import type { ActorDefinition, CommandBuilder, Stamp } from '@bailiwick/kernel'
import { enqueueActions, fromTransition, setup } from 'xstate'
import type { MachineSnapshot, TransitionSnapshot } from 'xstate'
import { z } from 'zod'
import { idOfSecret } from './chain.ts'
import type { TraceRecord, TraceSecret } from './chain.ts'
import { TraceSecretWrong } from './errors.ts'
import { append, emptyChain, isSound, prune } from './head.ts'
import type { ChainState, SegmentChange } from './head.ts'
import { checkSecret, checkTraceRules } from './rules.ts'
import type { CheckedTraceRules, TraceRules } from './rules.ts'

const traceRecord = z.object({ seq: z.number().int(), at: z.number(), previous: z.string(), text: z.string(), hash: z.string() })

/** State of a segment's actor. */
export interface SegmentState {
  /** Whether it has got its records. */
  readonly isFull: boolean
  /** What was pruned of it, or of the chain before it. */
  readonly through: number
  readonly records: readonly TraceRecord[]
}

type SegmentSnapshot = TransitionSnapshot<SegmentState>
interface Fill {
  readonly records: readonly TraceRecord[]
}
interface Cut {
  readonly through: number
}

/** Commands of a segment's actor. */
export interface SegmentCommands {
  readonly fill: CommandBuilder<'command', Fill, Fill, undefined, SegmentSnapshot>
  readonly cut: CommandBuilder<'command', Cut, Cut, undefined, SegmentSnapshot>
  readonly read: CommandBuilder<'query', object, object, SegmentState, SegmentSnapshot>
}

/** Definition of the segments of traces. */
export type SegmentsDefinition = ActorDefinition<string, SegmentSnapshot, SegmentCommands>

/** Defines the actors that keep full segments. Export what it answers, give it to `defineTrace`, and open the system with both. */
export function defineTraceSegments({ type, module }: { readonly type: string; readonly module: string }): SegmentsDefinition {
  type Event = ({ readonly type: 'fill' } & Fill) | ({ readonly type: 'cut' } & Cut)
  const empty: SegmentState = { isFull: false, through: 0, records: [] }
  return defineActor({
    type,
    module,
    logic: fromTransition((state: SegmentState, event: Event): SegmentState => {
      if (event.type === 'fill') return { ...state, isFull: true, records: event.records.filter(({ seq }) => seq > state.through) }
      return { ...state, through: event.through, records: state.records.filter(({ seq }) => seq > event.through) }
    }, empty),
    commands: {
      fill: command({ input: z.object({ records: z.array(traceRecord).readonly() }) }),
      cut: command({ input: z.object({ through: z.number().int() }) }),
      read: query({ reply: ({ context }) => context }),
    },
  })
}

/** What is needed to define traces. */
export interface TraceOptions extends TraceRules {
  /** Name of the kind of actor. Part of every stored row: it must stay the same for ever. */
  readonly type: string
  /** `import.meta.url` of the module that exports the definition. */
  readonly module: string
  /** What `defineTraceSegments` has answered. */
  readonly segments: SegmentsDefinition
}

interface Append {
  readonly text: string
  readonly secretId: string
}
interface Prune {
  readonly last: TraceRecord
  readonly secretId: string
}

/** What an append answers. */
export interface Appended {
  readonly seq: number
  readonly hash: string
}

// oxlint-disable-next-line typescript/no-explicit-any -- XState's own type of a machine's snapshot; of its parts only the context is used.
type ChainSnapshot = MachineSnapshot<ChainState, ChainEvent, any, any, any, any, any, any>
type ChainEvent = ({ readonly type: 'append' } & Append & Stamp) | ({ readonly type: 'prune' } & Prune & Stamp)

/** Commands of a chain's actor. */
export interface TraceCommands {
  readonly append: CommandBuilder<'command', Append, Append & Stamp, Appended, ChainSnapshot>
  readonly prune: CommandBuilder<'command', Prune, Prune & Stamp, undefined, ChainSnapshot>
  /** The state without its records. */
  readonly describe: CommandBuilder<'query', object, object, Omit<ChainState, 'open'>, ChainSnapshot>
  /** The records that are in no segment yet. */
  readonly tail: CommandBuilder<'query', object, object, readonly TraceRecord[], ChainSnapshot>
}

/** Definition of traces. */
export type TraceDefinition = ActorDefinition<string, ChainSnapshot, TraceCommands>

interface TraceParts {
  readonly rules: CheckedTraceRules
  readonly segments: SegmentsDefinition
}

/** What the facade has to know of a definition: it is the same in the caller's thread. */
const partsByDefinition = new WeakMap<object, TraceParts>()

/** Rules and segments of a definition that `defineTrace` has made. Throws `InvalidDefinition` for any other. */
export function tracePartsOf(definition: TraceDefinition): TraceParts {
  const parts = partsByDefinition.get(definition)
  if (parts === undefined) throw new InvalidDefinition(definition.type, 'definition', 'was not made by defineTrace')
  return parts
}

/** Defines traces: one chain for each key. Throws `InvalidDefinition`, naming the field. */
export function defineTrace(options: TraceOptions): TraceDefinition {
  const { type, module, segments } = options
  const rules = checkTraceRules(type, options)
  const { segmentRecords } = rules
  const machine = setup({
    types: { context: {} as ChainState, events: {} as ChainEvent, input: {} as { readonly chain: string } },
    guards: {
      isSound: ({ context, event }) => isSound(context, secretFor(type, rules, event.secretId)),
    },
    actions: {
      append: enqueueActions(({ context, event, enqueue }) => {
        if (event.type !== 'append') return
        const { state, full } = append(context, event, secretFor(type, rules, event.secretId), segmentRecords)
        enqueue.assign(state)
        if (full?.records !== undefined) {
          enqueue(tell(segments, { key: keyOf(context, full), command: 'fill', input: { records: full.records } }))
        }
      }),
      prune: enqueueActions(({ context, event, enqueue }) => {
        if (event.type !== 'prune') return
        const pruned = prune(context, event, secretFor(type, rules, event.secretId))
        if (pruned === undefined) return
        enqueue.assign(pruned.state)
        for (const change of pruned.cut) {
          enqueue(tell(segments, { key: keyOf(context, change), command: 'cut', input: { through: change.through ?? 0 } }))
        }
      }),
    },
  }).createMachine({
    context: ({ input }) => emptyChain(input.chain),
    on: { append: { guard: 'isSound', actions: 'append' }, prune: { guard: 'isSound', actions: 'prune' } },
  })
  const definition: TraceDefinition = defineActor({
    type,
    module,
    logic: machine,
    input: ({ key }) => ({ chain: encodeKey(type, key) }),
    commands: {
      append: command({
        input: stamped(z.object({ text: z.string(), secretId: z.string() })),
        reply: ({ context: { seq, hash } }) => ({ seq, hash }),
      }),
      prune: command({ input: stamped(z.object({ last: traceRecord, secretId: z.string() })) }),
      describe: query({
        reply: ({ context: { chain, secretId, seq, hash, mac, checkpoint, ...rest } }) => ({
          chain,
          segmentRecords: rest.segmentRecords,
          secretId,
          seq,
          hash,
          mac,
          checkpoint,
        }),
      }),
      tail: query({ reply: ({ context }) => context.open }),
    },
  })
  partsByDefinition.set(definition, { rules, segments })
  return definition
}

/** Key of the actor of a segment. */
export function segmentKey(chain: string, segment: number): readonly string[] {
  return [chain, String(segment)]
}

function keyOf({ chain }: ChainState, { segment }: SegmentChange): readonly string[] {
  return segmentKey(chain, segment)
}

/** The secret, if it is the one that the caller has. With another one nothing is signed: this throws, and nothing is changed. */
function secretFor(type: string, rules: CheckedTraceRules, secretId: string): TraceSecret {
  const secret = checkSecret(type, rules.secret())
  if (idOfSecret(secret) !== secretId) {
    throw new TraceSecretWrong(type, 'the thread of the shard has another one than the caller')
  }
  return secret
}
