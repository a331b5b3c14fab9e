/** The endpoint under schedules and faults: work may be lost, but never done by two who both count. */
import { simulate } from '@bailiwick/testkit'
import type { Client, World } from '@bailiwick/testkit'
import { expect, test } from 'vitest'
import { IdempotentEndpoint } from '../../src/idempotency/idempotent-endpoint.ts'
import type { HandledResponse } from '../../src/idempotency/response.ts'
import { patientEndpoint } from '../fixtures/orders-endpoint.actor.ts'
import { simulatedSurroundings } from './surroundings.ts'

const request = { principal: 'ada', operation: 'pay', key: 'k', payload: 'p', waitMs: 100_000 }

/** Asks until it is answered, as a client with a key does. */
async function handled(client: Client, index: number, work: () => Promise<{ readonly status: number; readonly body: string }>) {
  const endpoint = new IdempotentEndpoint(client, patientEndpoint, simulatedSurroundings(client, index))
  return await client.retry(() => endpoint.handle(request, work))
}

/** A client of a simulation cannot be woken before its time: whoever renews a lease hears a little later that it is over. */
async function renewalsHaveEnded(world: World): Promise<void> {
  await world.sleep(60_000)
}

test('T01, T02: without faults work that succeeds is done once, however the calls interleave, and all have its answer', async () => {
  await simulate({
    actors: [patientEndpoint],
    schedules: 200,
    scenario: async (world) => {
      let begun = 0
      let done = 0
      const answers: HandledResponse[] = []
      const fails = world.draw('fails', 2) === 1
      await world.together(3, async (client, index) => {
        try {
          answers.push(
            await handled(client, index, async () => {
              begun += 1
              const mine = begun
              await client.sleep(world.draw(`work ${index}`, 20))
              if (fails && mine === 1) throw new Error('not this time')
              done += 1
              return { status: 201, body: `${done}` }
            }),
          )
        } catch (error) {
          expect(error).toMatchObject({ message: 'not this time' })
        }
      })
      expect([done, begun]).toEqual([1, fails ? 2 : 1])
      expect(answers.map(({ status, body }) => `${status} ${String(body)}`)).toEqual(Array.from({ length: fails ? 2 : 3 }, () => '201 1'))
      await renewalsHaveEnded(world)
      world.sometimes(
        'somebody has waited',
        answers.some(({ outcome }) => outcome === 'replayed'),
      )
    },
  })
})

test('T03, T10: whatever crashes, everybody gets one and the same answer, that of the latest epoch; an earlier one is refused', async () => {
  await simulate({
    actors: [patientEndpoint],
    schedules: 200,
    faults: 'all',
    scenario: async (world) => {
      const answers: HandledResponse[] = []
      let done = 0
      let latest = 0
      await world.together(3, async (client, index) => {
        const answer = await handled(client, index, async () => {
          await client.sleep(world.draw(`work ${index}`, 400))
          done += 1
          return { status: 200, body: `by ${index}, ${done}` }
        })
        answers.push(answer)
        latest = Math.max(latest, answer.epoch)
      })
      await renewalsHaveEnded(world)
      world.sometimes('work was done again because its owner had lost it', done > 1)
      world.sometimes('an answer of a later epoch', latest > 1)
      world.always('one answer for all', new Set(answers.map(({ body, epoch }) => `${epoch} ${String(body)}`)).size === 1, { answers })
    },
    check: async (world) => {
      const { context } = await world.system.actor(patientEndpoint, ['ada', 'pay']).snapshot()
      expect([context.completed, Object.keys(context.inProgress)]).toEqual([1, []])
    },
  })
})
