import { TestWorld } from '@bailiwick/testkit'
import { expect, test } from 'vitest'
import { signUp } from './sign-up.actor.ts'
import { welcome } from './welcome.effect.ts'

test('a sign-up expires after fifteen minutes, also if nothing ran meanwhile', async () => {
  const world = new TestWorld()
  const before = await world.open({ actors: [signUp], effects: [welcome] })
  await before.actor(signUp, 'ada').ask.start({ email: 'ada@example.org' })

  await world.advance(14 * 60_000)
  expect((await before.actor(signUp, 'ada').ask.state()).value).toBe('waiting')
  world.crash()
  await world.advance(60_000)

  const after = await world.open({ actors: [signUp], effects: [welcome] })
  await world.advance(1)
  expect((await after.actor(signUp, 'ada').ask.state()).value).toBe('expired')
  await world.close()
})
