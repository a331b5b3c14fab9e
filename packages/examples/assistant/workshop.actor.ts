/** Turns that do not only wait: one computes on a pool of threads, one talks to a process that stays from turn to turn. */
import { defineActor, turn } from '@bailiwick/kernel'
import { setup } from 'xstate'
import { z } from 'zod'

const reply = z.object({ text: z.string() })

function isPrime(n: number): boolean {
  for (let divisor = 2; divisor * divisor <= n; divisor += 1) if (n % divisor === 0) return false
  return n > 1
}

export const workshop = defineActor({
  type: 'workshop',
  module: import.meta.url,
  logic: setup({}).createMachine({}),
  commands: {
    countPrimes: turn({
      on: 'pool',
      input: z.object({ below: z.number() }),
      output: z.number(),
      frame: z.object({ next: z.number(), count: z.number() }),
      run: async ({ input, frame, signal, interrupted, checkpoint }) => {
        let { next, count } = frame ?? { next: 2, count: 0 }
        for (; next < input.below && !interrupted(); next += 1) if (isPrime(next)) count += 1
        await checkpoint({ next, count }) // Also allowed after the signal: it resumes here.
        signal.throwIfAborted()
        return count
      },
    }),
    talk: turn({
      input: z.object({ text: z.string() }),
      output: reply,
      run: async ({ input, process }) => {
        const echo = await process.session('echo', { command: 'cat', noReplyMs: 60_000 })
        const lines = echo.lines() // From now on, so before something is sent.
        await echo.send({ text: input.text })
        const line: unknown = (await lines.next()).value
        return reply.parse(JSON.parse(String(line)))
      },
    }),
  },
})
