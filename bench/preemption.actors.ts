/** The actor of the preemption benchmarks: a worker turn that only waits for its signal, and a handler that reports when everything happened. */
import { defineActor, turn } from '@bailiwick/kernel'
import { setup } from 'xstate'
import { z } from 'zod'
import { now } from './floor/now.ts'

const moments = { signalAt: 0, handlerEndedAt: 0, resumedAt: 0 }

const handled = z.object({
  /** When the worker's signal fired. */
  signalAt: z.number(),
  /** When this handler's `run` was called. */
  startedAt: z.number(),
  /** From the end of the handler before this one until the worker's `run` was called again. */
  resumeMs: z.number(),
})

/** One session with a worker that never ends by itself. */
export const session = defineActor({
  type: 'session',
  module: import.meta.url,
  logic: setup({}).createMachine({ id: 'session', context: {} }),
  commands: {
    work: turn({
      frame: z.object({ step: z.number() }),
      run: async ({ signal, checkpoint, frame, progress }) => {
        moments.resumedAt = now()
        await checkpoint({ step: (frame?.step ?? 0) + 1 })
        progress('ready')
        await new Promise<void>((resolve) => {
          signal.addEventListener(
            'abort',
            () => {
              moments.signalAt = now()
              resolve()
            },
            { once: true },
          )
        })
      },
    }),
    respond: turn({
      output: handled,
      priority: 'urgent',
      preempt: 'steal',
      run: () => {
        const startedAt = now()
        const { signalAt, handlerEndedAt, resumedAt } = moments
        moments.handlerEndedAt = now()
        return { signalAt, startedAt, resumeMs: resumedAt - handlerEndedAt }
      },
    }),
  },
})
