/** Spans from events of the tap: one for each handled command, one for each stretch of a turn. */
import { ROOT_CONTEXT, SpanKind, SpanStatusCode } from '@opentelemetry/api'
import type { Attributes, Link, Span, SpanContext, Tracer } from '@opentelemetry/api'
import type { CommandHandled, TapEvent, TapFrame, TurnMoved } from '../protocol/tap.ts'

/** Of how many commands the spans are remembered, for those that they have caused. Beyond it the oldest are forgotten. */
const CAUSES_MAX = 10_000

/** A stretch of a turn that is running. */
interface Stretch {
  readonly span: Span
  readonly shard: number
}

/** Makes spans of events. */
export class SpanMaker {
  readonly #tracer: Tracer
  /** By the id of the command; in the order of their coming. */
  readonly #causes = new Map<string, SpanContext>()
  /** By shard, actor and number of the turn. */
  readonly #stretches = new Map<string, Stretch>()

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  /** Takes an event. Those that make no span are passed over. */
  take(event: TapEvent): void {
    switch (event.kind) {
      case 'command.handled':
        this.#commandHandled(event)
        return
      case 'turn.started':
      case 'turn.resumed':
        this.#begin(event)
        return
      case 'turn.interrupted':
        this.#stretches.get(placeOf(event))?.span.addEvent('interrupted', detailsOf(event), event.at)
        return
      case 'turn.parked':
      case 'turn.requeued':
      case 'turn.ended':
        this.#end(event)
        return
      case 'thread.died':
      case 'thread.hung':
        // What ran on it begins another stretch.
        for (const [place, { shard }] of this.#stretches) if (shard === event.shard) this.#lose(place, event.at)
        break
      default:
    }
  }

  /** Ends what is still open. */
  close(): void {
    for (const { span } of this.#stretches.values()) span.end()
    this.#stretches.clear()
    this.#causes.clear()
  }

  #commandHandled(event: TapFrame & CommandHandled): void {
    const { actor, command, id, cause, call, lane, outcome, error, at, waitedMs, shard, revision, from } = event
    const type = typeOf(actor)
    const caused = cause === undefined ? undefined : this.#causes.get(cause)
    const links: readonly Link[] = caused === undefined ? [] : [{ context: caused }]
    const attributes: Attributes = {
      'bailiwick.actor': actor,
      'bailiwick.actor.type': type,
      'bailiwick.command': command,
      'bailiwick.id': id,
      'bailiwick.call': call,
      'bailiwick.lane': lane,
      'bailiwick.outcome': outcome,
      'bailiwick.shard': shard,
      'bailiwick.revision': revision,
      'bailiwick.waited_ms': waitedMs,
      ...(cause === undefined ? {} : { 'bailiwick.cause': cause }),
      ...(from === undefined ? {} : { 'bailiwick.from': from }),
      ...(error === undefined ? {} : { 'error.type': error.code }),
    }
    const kind = call === 'ask' ? SpanKind.SERVER : SpanKind.CONSUMER
    const span = this.#tracer.startSpan(
      `command ${type}.${command}`,
      { kind, startTime: at - waitedMs, attributes, links: [...links] },
      ROOT_CONTEXT,
    )
    if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error.message })
    span.end(at)
    if (id !== '') this.#remember(id, span.spanContext())
  }

  #remember(id: string, context: SpanContext): void {
    this.#causes.set(id, context)
    if (this.#causes.size <= CAUSES_MAX) return
    const [oldest] = this.#causes.keys()
    if (oldest !== undefined) this.#causes.delete(oldest)
  }

  #begin(event: TapFrame & TurnMoved): void {
    const place = placeOf(event)
    this.#lose(place, event.at)
    const { actor, command, turn, attempt, epoch, shard, at } = event
    const type = typeOf(actor)
    const attributes: Attributes = {
      'bailiwick.actor': actor,
      'bailiwick.actor.type': type,
      'bailiwick.command': command,
      'bailiwick.turn': turn,
      'bailiwick.attempt': attempt,
      'bailiwick.epoch': epoch,
      'bailiwick.shard': shard,
      'bailiwick.resumed': event.kind === 'turn.resumed',
    }
    const span = this.#tracer.startSpan(`turn ${type}.${command}`, { kind: SpanKind.INTERNAL, startTime: at, attributes }, ROOT_CONTEXT)
    this.#stretches.set(place, { span, shard })
  }

  #end(event: TapFrame & TurnMoved): void {
    const place = placeOf(event)
    const stretch = this.#stretches.get(place)
    // One that waited, or that began before anybody listened, has no stretch.
    if (stretch === undefined) return
    this.#stretches.delete(place)
    const { span } = stretch
    span.setAttributes({ 'bailiwick.end': event.kind, ...detailsOf(event) })
    if (event.outcome === 'failed' || event.outcome === 'timed-out') span.setStatus({ code: SpanStatusCode.ERROR })
    span.end(event.at)
  }

  /** Ends a stretch of which nobody will hear the end. */
  #lose(place: string, at: number): void {
    const stretch = this.#stretches.get(place)
    if (stretch === undefined) return
    this.#stretches.delete(place)
    stretch.span.setAttribute('bailiwick.end', 'lost')
    stretch.span.setStatus({ code: SpanStatusCode.ERROR })
    stretch.span.end(at)
  }
}

function placeOf({ shard, actor, turn }: { readonly shard: number; readonly actor: string; readonly turn: number }): string {
  return `${shard} ${turn} ${actor}`
}

function detailsOf({ outcome, by, mode }: TurnMoved): Attributes {
  return {
    ...(outcome === undefined ? {} : { 'bailiwick.outcome': outcome }),
    ...(by === undefined ? {} : { 'bailiwick.by': by }),
    ...(mode === undefined ? {} : { 'bailiwick.mode': mode }),
  }
}

/** The type in an address. Types have no slash. */
function typeOf(address: string): string {
  return address.slice(0, address.indexOf('/'))
}
