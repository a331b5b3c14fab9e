/**
 * `@bailiwick/kernel/opentelemetry`: what a system does, as spans and metrics of OpenTelemetry.
 *
 * It reads the tap and the counters and nothing else; whoever does not import it needs no `@opentelemetry/api`. Neither inputs
 * nor replies are in any attribute, because the tap has none.
 */
import { metrics, trace } from '@opentelemetry/api'
import type { Meter, Tracer } from '@opentelemetry/api'
import type { System } from '../system/system.ts'
import { measure } from './metrics.ts'
import { SpanMaker } from './spans.ts'

/** Where spans and metrics go. */
export interface TraceOptions {
  /** Makes the spans; `false` for none, and then the tap is not read. Default: that of the global provider. */
  readonly tracer?: Tracer | false
  /** Makes the metrics; `false` for none. Default: that of the global provider. */
  readonly meter?: Meter | false
}

const SCOPE = 'bailiwick'

/**
 * Traces a system until it is closed, or until the function that is answered is called. Throws `SystemClosed` if it is closed
 * already.
 *
 * Spans: `command <type>.<command>` for each command and query, from its arrival on the shard to its commit, linked to the
 * command in whose handling it was sent; `turn <type>.<command>` for each stretch of a turn. Metrics: the counters of `stats()`.
 */
export function traceSystem(system: System, options: TraceOptions = {}): () => void {
  const { tracer = trace.getTracer(SCOPE), meter = metrics.getMeter(SCOPE) } = options
  const ends: (() => void)[] = []
  if (tracer !== false) {
    const spans = new SpanMaker(tracer)
    const end = system.tap((event) => spans.take(event), { kinds: ['command.handled', 'turn.*', 'thread.died', 'thread.hung'] })
    ends.push(() => {
      end()
      spans.close()
    })
  }
  if (meter !== false) ends.push(measure(meter, () => system.stats()))
  return () => {
    for (const end of ends.splice(0)) end()
  }
}
