/** Handles under schedules, crashes and what a network does to calls. */
import { FAULT_KINDS, simulate } from '@bailiwick/testkit'
import type { Client } from '@bailiwick/testkit'
import { expect, test } from 'vitest'
import { Handles } from '../../src/handles/handles.ts'
import { fewHandles } from '../fixtures/small-tokens.actor.ts'
import { endOf, simulatedSurroundings } from '../tokens/place.ts'

/** Where a clock is set back, a handle lives for that much longer: what is claimed of time is claimed without. */
const timeless = FAULT_KINDS.filter((kind) => kind !== 'clock-jump')

test.each([
  ['W12 W13 whatever strikes, a handle leads to its own rows or nowhere, expires once, and the cap holds', 'all', false],
  ['W13 whatever strikes, a clock that is set excepted, nothing is seen of a handle once its time is over', timeless, true],
] as const)('%s', async (_title, faults, isTimely) => {
  let stored: { readonly handle: string; readonly name: string }[] = []
  await simulate({
    actors: [fewHandles],
    shards: 2,
    schedules: 150,
    faults,
    scenario: async (world) => {
      stored = []
      const expired = new Map<string, number>()
      await world.together(
        ...[0, 1, 2].map((index) => async (client: Client) => {
          const handles = new Handles(client, fewHandles, simulatedSurroundings(world, String(index)))
          for (let number = 0; number < 2; number += 1) {
            const name = `${index}.${number}`
            if (!world.keeps(name)) continue
            const end = await endOf(client, ['HANDLE_EVICTED'], () =>
              handles.store({ rows: [{ name }], principal: `${index}`, idempotencyKey: name }),
            )
            world.sometimes('it is evicted before it is stored', typeof end === 'string')
            if (typeof end === 'string') continue
            stored.push({ handle: end.handle, name })
            const mine = await client.retry(() => handles.expand(end.handle, { principal: `${index}` }))
            if (mine.outcome === 'expanded')
              world.always('its rows are its own', JSON.stringify(mine.rows) === JSON.stringify([{ name }]), mine)
            world.always('it is nobody else’s', mine.outcome !== 'mismatch', mine)
            world.sometimes('it was evicted', mine.outcome === 'not-found')
            const others = await client.retry(() => handles.expand(end.handle, { principal: 'nobody' }))
            world.always('nobody else sees it', others.outcome === 'mismatch' || others.outcome === 'not-found', others)
            if (world.draw(`wait ${name}`, 2) === 0) continue
            await client.sleep(10_000)
            for (let look = 0; look < 3; look += 1) {
              const late = await client.retry(() => handles.expand(end.handle, { principal: `${index}` }))
              if (late.outcome === 'expired') expired.set(end.handle, (expired.get(end.handle) ?? 0) + 1)
              if (isTimely) world.always('its time is over', late.outcome !== 'expanded', late)
              world.always('it expires once', (expired.get(end.handle) ?? 0) <= 1)
              world.sometimes('it has expired', late.outcome === 'expired')
            }
          }
        }),
      )
    },
    check: async (world) => {
      const handles = new Handles(world.system, fewHandles)
      const pages = await Promise.all(stored.map(async ({ handle, name }) => await handles.expand(handle, { principal: name.charAt(0) })))
      const good = pages.filter(({ outcome }) => outcome === 'expanded')
      expect(good.length).toBeLessThanOrEqual(3)
      world.sometimes('the cap is reached', good.length === 3)
    },
  })
})
