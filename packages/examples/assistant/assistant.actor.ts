/** An assistant that studies topics one after the other, and can be interrupted for a question, or for good. */
import { command, defineActor, query, turn } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { askModel } from './model.ts'

type Event = { readonly type: 'stop' } | { readonly type: 'study.done'; readonly output: { readonly report: string } }

const machine = setup({
  types: { context: {} as { readonly reports: readonly string[]; readonly stops: number }, events: {} as Event },
}).createMachine({
  context: { reports: [], stops: 0 },
  on: {
    'study.done': { actions: assign({ reports: ({ context, event }) => [...context.reports, event.output.report] }) },
    stop: { actions: assign({ stops: ({ context }) => context.stops + 1 }) },
  },
})

export const assistant = defineActor({
  type: 'assistant',
  module: import.meta.url,
  logic: machine,
  commands: {
    study: turn({
      input: z.object({ topics: z.array(z.string()) }),
      output: z.object({ report: z.string() }),
      frame: z.object({ notes: z.array(z.string()) }),
      run: async ({ input, frame, signal, checkpoint, progress }) => {
        const notes = frame?.notes ?? []
        for (const topic of input.topics.slice(notes.length)) {
          notes.push(await askModel(`What matters about ${topic}?`, signal))
          await checkpoint({ notes })
          progress(`${notes.length} of ${input.topics.length}`)
        }
        return { report: notes.join('; ') }
      },
    }),
    answer: turn({
      input: z.object({ question: z.string() }),
      output: z.string(),
      priority: 'urgent',
      preempt: 'steal',
      run: async ({ input, signal }) => await askModel(input.question, signal),
    }),
    stop: command({ priority: 'urgent', preempt: 'abort-drop' }),
    reports: query({ reply: ({ context }) => context.reports }),
  },
})
