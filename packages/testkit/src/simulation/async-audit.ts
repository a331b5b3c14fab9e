/**
 * The audit of asynchronous work: whatever code starts that goes on after it has returned is found, however it was started.
 *
 * Node.js tells of every resource that is made, promises among them, and that is slow: a run of the kernel takes about twice as
 * long, code that does nothing but wait for promises four times, and each promise that is made in a transition another 10 µs. So
 * it is for a sample of runs, beside the guards, which find what is called by name.
 */
import { asyncWrapProviders, createHook } from 'node:async_hooks'
import { placeNow, strayAt, tell } from './stray.ts'
import type { Stray } from './stray.ts'

/** An audit that is under way. */
export interface AsyncAudit {
  /** Ends it. Idempotent. */
  stop(): void
}

/** Resources of Node.js that are no I/O, and what has an order of its own. */
const harmless = new Set(['NONE', 'PROMISE', 'ELDHISTOGRAM', 'SIGINTWATCHDOG'])

/** Timers are made by Node's own JavaScript; everything else that waits for the world has a name here. */
const outside: ReadonlySet<string> = new Set([
  'Timeout',
  'Immediate',
  ...Object.keys(asyncWrapProviders).filter((type) => !harmless.has(type)),
])

/**
 * Tells of every promise that is made in a place of these guards with the mode `transition`, and of every timer and every I/O that
 * is begun in any place of theirs: see `Guards.enter`. `onStray` must not throw: Node.js would end the process. What the
 * guards see being called, such as `setTimeout`, is told by them alone.
 */
export function auditAsync(guards: object, onStray: (stray: Stray) => void): AsyncAudit {
  const hook = createHook({
    init: function init(_id, type) {
      const place = placeNow()
      if (place?.owner !== guards) return
      const isPromise = type === 'PROMISE'
      if (isPromise ? place.mode !== 'transition' : !outside.has(type)) return
      const stray = isPromise
        ? strayAt('Promise', 'makes a promise', place, init)
        : strayAt(type, `starts asynchronous work (${type})`, place, init)
      if (stray !== undefined) tell(onStray, stray)
    },
  })
  hook.enable()
  return { stop: () => void hook.disable() }
}
