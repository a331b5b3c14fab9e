/** A turn after a crash, on a virtual clock. */
import { defineActor, turn } from '@bailiwick/kernel'
import { TestWorld } from '@bailiwick/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { fromTransition } from 'xstate'

const starts: { readonly attempt: number; readonly epoch: number; readonly frame: unknown }[] = []

export const worker = defineActor({
  type: 'worker',
  module: import.meta.url,
  logic: fromTransition((state: object) => state, {}),
  commands: {
    work: turn({
      run: async ({ attempt, epoch, frame, signal, checkpoint }) => {
        starts.push({ attempt, epoch, frame })
        if (frame === undefined) await checkpoint({ step: 1 })
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        return undefined
      },
    }),
  },
})

test('K22 a turn that a crash has cut off is resumed once when the system is opened again', async () => {
  const world = new TestWorld({ shards: 1 })
  onTestFinished(() => world.close())
  const before = await world.open({ actors: [worker] })
  const told = before.actor(worker, 'one').tell.work()
  await world.advance(10)
  await told
  expect(starts).toMatchObject([{ attempt: 1, frame: undefined }])
  world.crash()
  const after = await world.open({ actors: [worker] })
  await world.advance(10)
  expect(starts.slice(1)).toMatchObject([{ attempt: 1, frame: { step: 1 } }])
  const turns = after.actor(worker, 'one').turns()
  await world.advance(1)
  expect((await turns)[0]).toMatchObject({ state: 'running', epoch: starts.at(-1)?.epoch, attempt: 1 })
})
