/** A process that is killed while it works. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import { expect, test } from 'vitest'
import { IdempotentEndpoint } from '../../src/idempotency/idempotent-endpoint.ts'
import { smallEndpoint } from '../fixtures/orders-endpoint.actor.ts'
import { place } from './place.ts'

test('T03, T10: a process is killed while it works: what it has completed is replayed, what it has begun is done in the next epoch', async () => {
  const directory = place()
  const child = spawn(process.execPath, [join(import.meta.dirname, '../fixtures/endpoint-owner.ts'), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  expect(String(said)).toBe('working in epoch 2\n')
  child.kill('SIGKILL')
  await once(child, 'exit')

  await using system = await openSystem({ directory, actors: [smallEndpoint] })
  const endpoint = new IdempotentEndpoint(system, smallEndpoint)
  const request = { principal: 'ada', operation: 'pay' }
  const again = () => ({ status: 200, body: 'by the second process' })
  expect(await endpoint.handle({ ...request, key: 'done' }, again)).toMatchObject({ outcome: 'replayed', body: 'by the first process' })
  const next = await endpoint.handle({ ...request, key: 'begun', waitMs: 10_000 }, again)
  expect(next).toMatchObject({ outcome: 'executed', epoch: 3, body: 'by the second process' })
})
