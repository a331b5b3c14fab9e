import { command, defineActor, query, stamped } from '@bailiwick/kernel'
import { TestWorld } from '@bailiwick/testkit'
import { describe, expect, test } from 'vitest'
import { fromTransition } from 'xstate'
import { z } from 'zod'

const clock = defineActor({
  type: 'clock',
  module: import.meta.url,
  persist: 'journal',
  logic: fromTransition(
    (state: { readonly rings: readonly number[] }, event: { readonly type: 'ring'; readonly at: number; readonly by: string }) => ({
      rings: [...state.rings, event.at],
    }),
    { rings: [] },
  ),
  commands: {
    ring: command({ input: stamped(z.object({ by: z.string() })), reply: ({ input }) => input.at }),
    ago: query({ input: stamped(), reply: ({ context, input }) => input.at - (context.rings.at(-1) ?? 0) }),
  },
})

describe('stamped', () => {
  test('the shard adds its time, the same to event and reply, never earlier than before, and a journal gives it back', async () => {
    const world = new TestWorld({ startAt: 1_000_000 })
    const before = await world.open({ actors: [clock] })
    const { ask } = before.actor(clock, 'a')
    expect(await ask.ring({ by: 'x' })).toBe(1_000_000)
    await world.advance(50)
    world.clock.jump(-10_000)
    const second = await ask.ring({ by: 'x' })
    expect(second).toBeGreaterThanOrEqual(1_000_000)
    await world.advance(50)
    expect(await ask.ago()).toBeGreaterThan(0)
    world.crash()
    const after = await world.open({ actors: [clock] })
    expect((await after.actor(clock, 'a').snapshot()).context.rings).toEqual([1_000_000, second])
    await world.close()
  })

  test('callers do not give it, and an input that has its own is refused when it is defined', async () => {
    const world = new TestWorld()
    const system = await world.open({ actors: [clock] })
    // @ts-expect-error -- the time is the shard's.
    const rung = await system.actor(clock, 'a').ask.ring({ by: 'x', at: 5 })
    expect(rung).toBeGreaterThan(5)
    await world.close()
    expect(() =>
      defineActor({
        type: 'own',
        module: import.meta.url,
        logic: fromTransition((state: object, _event: { readonly type: 'go'; readonly at: number }) => state, {}),
        commands: { go: command({ input: stamped(z.object({ at: z.number() })) }) },
      }),
    ).toThrow(/has an "at" of its own/)
  })
})
