/** The programs of docs/actors/idempotent-endpoint.md and docs/actors/traces.md: they print what the pages say. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { IdempotentEndpoint } from '@bailiwick/actors'
import { openSystem } from '@bailiwick/kernel'
import { expect, onTestFinished, test } from 'vitest'
import { idempotentRoute } from '../idempotent-endpoint/hono.ts'
import type { RouteContext } from '../idempotent-endpoint/hono.ts'
import { orderBook, orderEndpoint } from '../idempotent-endpoint/orders.actor.ts'

const examples = join(import.meta.dirname, '..')

function place(): string {
  const directory = mkdtempSync(join(tmpdir(), 'bailiwick-ready-made-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'data')
}

function run(program: string): string {
  const env = { ...process.env, AUDIT_SECRET: 'a secret of the tests, and long enough' }
  return execFileSync(process.execPath, [join(examples, program), place()], { encoding: 'utf8', env })
}

test('an order that is sent five times with one key is placed once and answered five times', { timeout: 30_000 }, () => {
  const lines = run('idempotent-endpoint/main.ts').trimEnd().split('\n')
  expect(lines.slice(0, 6)).toEqual([
    ...Array.from({ length: 4 }, () => '201 again Order 1: a lamp'),
    '201 new Order 1: a lamp',
    '201 new Order 2: a lamp',
  ])
  expect(lines[6]).toMatch(/^422 .*KEY_CONFLICT/)
})

test('an audit trail verifies, and a change of its export is located', { timeout: 30_000 }, () => {
  expect(run('audit-trail/main.ts')).toBe('Records: 3\nVerified: intact\nThe export: intact\nChanged: edited at 2\n')
})

test('the middleware for Hono serves once, replays, and leaves a failed request to be tried again', async () => {
  await using system = await openSystem({ directory: place(), actors: [orderEndpoint, orderBook] })
  const middleware = idempotentRoute(new IdempotentEndpoint(system, orderEndpoint), { operation: 'POST /orders', principalOf: () => 'ada' })
  let served = 0
  const post = async (key: string, status: number) => {
    const raw = new Request('http://localhost/orders', {
      method: 'POST',
      body: 'a lamp',
      headers: key === '' ? {} : { 'idempotency-key': key },
    })
    const context: RouteContext = { req: { raw }, res: new Response(null, { status: 404 }) }
    const answer = await middleware(context, async () => {
      served += 1
      context.res = new Response(`${served} ${await raw.text()}`, { status, headers: { location: '/orders/1' } })
    })
    const { status: answered, headers } = answer ?? context.res
    return [answered, headers.get('idempotent-replayed'), await (answer ?? context.res).text()]
  }
  expect(await post('"k"', 500)).toEqual([500, null, '1 a lamp'])
  expect(await post('"k"', 201)).toEqual([201, null, '2 a lamp'])
  expect(await post('"k"', 201)).toEqual([201, 'true', '2 a lamp'])
  expect((await post('', 201))[0]).toBe(400)
})
