/** Types of events, health and loggers: what must compile, and what must not. Read by the compiler, never run. */
import type { CloseReport, HeldActor, Logger, OpenSystemOptions, System, SystemHealth, TapEvent, TapKind } from '@bailiwick/kernel'
import { expectTypeOf, test } from 'vitest'

declare const system: System

test('an event is known by its kind', () => {
  system.tap((event) => {
    expectTypeOf(event).toEqualTypeOf<TapEvent>()
    expectTypeOf(event.sequence).toEqualTypeOf<number>()
    if (event.kind === 'command.handled') expectTypeOf(event.cause).toEqualTypeOf<string | undefined>()
    if (event.kind === 'batch.committed') expectTypeOf(event.commitMs).toEqualTypeOf<number>()
    // @ts-expect-error -- not every event is of an actor
    String(event.actor)
  })
  expectTypeOf(system.tap(() => undefined)).toEqualTypeOf<() => void>()
})

test('a filter names kinds that exist, or all of one subject', () => {
  system.tap(() => undefined, { kinds: ['turn.*', 'command.handled', 'shard.*'] })
  // @ts-expect-error -- no such kind
  system.tap(() => undefined, { kinds: ['command.handeld'] })
  // @ts-expect-error -- no such subject
  system.events({ kinds: ['commands.*'] })
  expectTypeOf<'turn.parked'>().toExtend<TapKind>()
})

test('console is a logger', () => {
  expectTypeOf<Console>().toExtend<Logger>()
  expectTypeOf<{ readonly logger: Console }>().toExtend<Pick<OpenSystemOptions, 'logger'>>()
})

test('health, held actors and reports say what they are', () => {
  expectTypeOf(system.health()).toEqualTypeOf<SystemHealth>()
  expectTypeOf<SystemHealth['status']>().toEqualTypeOf<'ready' | 'degraded' | 'closing' | 'closed'>()
  expectTypeOf(system.quarantine.list()).toEqualTypeOf<Promise<readonly HeldActor[]>>()
  expectTypeOf(system.close({ mode: 'drain', timeoutMs: 1 })).toEqualTypeOf<Promise<CloseReport>>()
  // @ts-expect-error -- no such mode
  void system.close({ mode: 'fast' })
})
