/** Spans and metrics of a system, as a tracer and a meter in memory get them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import type { System } from '@bailiwick/kernel'
import { traceSystem } from '@bailiwick/kernel/opentelemetry'
import { INVALID_SPAN_CONTEXT, metrics, SpanStatusCode, trace } from '@opentelemetry/api'
import type {
  Attributes,
  BatchObservableCallback,
  Link,
  Meter,
  Observable,
  SpanContext,
  SpanStatus,
  TimeInput,
  Tracer,
} from '@opentelemetry/api'
import { expect, onTestFinished, test } from 'vitest'
import { clerk } from './fixtures/clerk.actor.ts'

interface MadeSpan {
  readonly name: string
  readonly startTime: TimeInput | undefined
  readonly links: readonly Link[]
  readonly attributes: Attributes
  readonly context: SpanContext
  readonly events: string[]
  status: SpanStatus | undefined
  endTime: TimeInput | undefined
}

/** A tracer that keeps what it is told. */
function memoryTracer(): { readonly spans: MadeSpan[]; readonly tracer: Tracer } {
  const spans: MadeSpan[] = []
  const startSpan: Tracer['startSpan'] = (name, { startTime, attributes, links } = {}) => {
    const context: SpanContext = { traceId: 'a'.repeat(32), spanId: `${spans.length}`.padStart(16, '0'), traceFlags: 1 }
    const kept = { ...attributes }
    const made: MadeSpan = {
      name,
      startTime,
      attributes: kept,
      links: links ?? [],
      context,
      events: [],
      status: undefined,
      endTime: undefined,
    }
    spans.push(made)
    // The rest of a span comes from the one that does nothing.
    const span = trace.wrapSpanContext(INVALID_SPAN_CONTEXT)
    return Object.assign(span, {
      spanContext: () => context,
      setAttribute: (key: string, value: string) => {
        kept[key] = value
        return span
      },
      setAttributes: (more: Attributes) => {
        Object.assign(kept, more)
        return span
      },
      addEvent: (event: string) => {
        made.events.push(event)
        return span
      },
      setStatus: (status: SpanStatus) => {
        made.status = status
        return span
      },
      end: (at?: TimeInput) => {
        made.endTime = at
      },
    })
  }
  return { spans, tracer: { startSpan, startActiveSpan: () => undefined as never } }
}

/** A meter that answers what its callbacks observe. */
function memoryMeter(): {
  readonly meter: Meter
  readonly read: () => Readonly<Record<string, number>>
  readonly callbacks: Set<BatchObservableCallback>
} {
  const callbacks = new Set<BatchObservableCallback>()
  const names = new Map<Observable, string>()
  const make = (name: string): Observable => {
    const observable: Observable = { addCallback: () => undefined, removeCallback: () => undefined }
    names.set(observable, name)
    return observable
  }
  const meter = Object.assign(Object.create(metrics.getMeter('unused')) as Meter, {
    createObservableCounter: make,
    createObservableGauge: make,
    addBatchObservableCallback: (callback: BatchObservableCallback) => void callbacks.add(callback),
    removeBatchObservableCallback: (callback: BatchObservableCallback) => void callbacks.delete(callback),
  })
  const read = (): Readonly<Record<string, number>> => {
    const values: Record<string, number> = {}
    for (const callback of callbacks) {
      void callback({
        observe: (observable: Observable, value: number, attributes: Attributes = {}) => {
          values[[names.get(observable), ...Object.values(attributes)].join(' ')] = value
        },
      })
    }
    return values
  }
  return { meter, read, callbacks }
}

async function open(): Promise<System> {
  const root = mkdtempSync(join(tmpdir(), 'bailiwick-test-'))
  const system = await openSystem({ directory: join(root, 'data'), actors: [clerk] })
  onTestFinished(async () => {
    await system.close({ timeoutMs: 100 })
    rmSync(root, { recursive: true, force: true })
  })
  return system
}

async function until(holds: () => boolean, seen: () => unknown): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`There was still ${JSON.stringify(seen())}.`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('a command is a span from its arrival to its commit, linked to the one that has sent it', async () => {
  const system = await open()
  const { tracer, spans } = memoryTracer()
  const before = Date.now()
  traceSystem(system, { tracer, meter: false })
  await system.actor(clerk, 'a').ask.pass({ to: 'b' })
  await until(
    () => spans.length === 2,
    () => spans,
  )
  const [pass, file] = spans
  expect(pass).toMatchObject({
    name: 'command clerk.pass',
    links: [],
    status: undefined,
    attributes: {
      'bailiwick.actor': 'clerk/a',
      'bailiwick.actor.type': 'clerk',
      'bailiwick.command': 'pass',
      'bailiwick.call': 'ask',
      'bailiwick.lane': 'normal',
      'bailiwick.outcome': 'ok',
      'bailiwick.shard': 0,
    },
  })
  expect(file).toMatchObject({ name: 'command clerk.file', attributes: { 'bailiwick.from': 'clerk/a', 'bailiwick.call': 'message' } })
  expect(file?.links).toEqual([{ context: pass?.context }])
  for (const { startTime, endTime } of spans) {
    expect(Number(startTime)).toBeGreaterThanOrEqual(before - 1_000)
    expect(Number(endTime)).toBeGreaterThanOrEqual(Number(startTime))
  }
})

test('a command that has no effect is an error, with its code', async () => {
  const system = await open()
  const { tracer, spans } = memoryTracer()
  traceSystem(system, { tracer, meter: false })
  await expect(system.actor(clerk, 'a').ask.refuse()).rejects.toThrow(/refuse/)
  await until(
    () => spans.length === 1,
    () => spans,
  )
  expect(spans[0]).toMatchObject({
    status: { code: SpanStatusCode.ERROR },
    attributes: { 'error.type': 'COMMAND_REJECTED', 'bailiwick.outcome': 'rejected' },
  })
})

test('a turn is a span for each stretch; nothing that it was given is in it', async () => {
  const system = await open()
  const { tracer, spans } = memoryTracer()
  traceSystem(system, { tracer, meter: false })
  expect(await system.actor(clerk, 'a').ask.job({ secret: 'private-4711' })).toEqual({ outcome: 'ok', value: 12 })
  const stretch = (): MadeSpan | undefined => spans.find(({ name }) => name === 'turn clerk.job')
  await until(
    () => stretch()?.endTime !== undefined,
    () => spans,
  )
  expect(stretch()).toMatchObject({ attributes: { 'bailiwick.actor': 'clerk/a', 'bailiwick.attempt': 1, 'bailiwick.end': 'turn.ended' } })
  expect(JSON.stringify(spans)).not.toContain('private-4711')
})

test('the counters are metrics, by shard, lane and outcome', async () => {
  const system = await open()
  const { meter, read } = memoryMeter()
  traceSystem(system, { tracer: false, meter })
  await system.actor(clerk, 'a').ask.file()
  await system
    .actor(clerk, 'a')
    .ask.refuse()
    .catch(() => undefined)
  const values = read()
  expect(values).toMatchObject({
    'bailiwick.commands handled': 1,
    'bailiwick.commands rejected': 1,
    'bailiwick.commands failed': 0,
    'bailiwick.mailbox.depth 0 normal': 0,
    'bailiwick.actors.resident 0': 1,
    'bailiwick.calls.pending': 0,
  })
  expect(values['bailiwick.batches 0']).toBeGreaterThanOrEqual(1)
})

test('ends when it is told to, and without a provider does nothing', async () => {
  const system = await open()
  const { tracer, spans } = memoryTracer()
  const { meter, callbacks } = memoryMeter()
  const end = traceSystem(system, { tracer, meter })
  expect(callbacks.size).toBe(1)
  end()
  end()
  expect(callbacks.size).toBe(0)
  traceSystem(system)
  await system.actor(clerk, 'a').ask.file()
  expect(spans).toEqual([])
  await system.close()
  expect(() => traceSystem(system)).toThrow(expect.objectContaining({ code: 'SYSTEM_CLOSED' }))
})
