import { BailiwickError } from '@bailiwick/kernel'
import { simulate } from '@bailiwick/testkit'
import type { World } from '@bailiwick/testkit'
import { expect, test } from 'vitest'
import { signUp } from './sign-up.actor.ts'
import { welcome } from './welcome.effect.ts'

/** The run that is under way, and what the mail provider has taken in it: how often, by idempotency key. */
let world: World
const mails = new Map<string, number>()

/** Stands for the provider: takes its time, and counts. */
const standIn = {
  ...welcome,
  run: async ({ idempotencyKey }: { readonly idempotencyKey: string }) => {
    await world.workFor(200)
    mails.set(idempotencyKey, (mails.get(idempotencyKey) ?? 0) + 1)
  },
}

test('who confirms in time is welcomed by one mail, who does not by none', { timeout: 60_000 }, async () => {
  let confirmed = false
  await simulate({
    actors: [signUp],
    effects: [standIn],
    schedules: 300,
    faults: 'crashes',
    scenario: async (current) => {
      world = current
      mails.clear()
      confirmed = false
      const client = world.client('Ada')
      const ref = client.actor(signUp, 'ada')
      await client.retry(() => ref.ask.start({ email: 'ada@example.org' }, { idempotencyKey: 'start' }))
      await client.sleep(world.draw('minutes', 30) * 60_000)
      try {
        await client.retry(() => ref.ask.confirm(undefined, { idempotencyKey: 'confirm' }))
        confirmed = true
      } catch (error) {
        if (!(error instanceof BailiwickError) || error.code !== 'COMMAND_REJECTED') throw error
      }
      world.sometimes('confirmed in time', confirmed)
      world.sometimes('came too late', !confirmed)
      // Faults end with the scenario: what they are to meet has to happen in it.
      await client.sleep(10_000)
    },
    check: async () => {
      await world.sleep(30 * 60_000)
      const state = await world.system.actor(signUp, 'ada').ask.state()
      expect(state).toEqual(confirmed ? { value: 'confirmed', greeted: true } : { value: 'expired', greeted: false })
      expect(mails.size).toBe(confirmed ? 1 : 0)
      world.sometimes(
        'the provider was asked twice, under one key',
        [...mails.values()].some((times) => times > 1),
      )
    },
  })
})
