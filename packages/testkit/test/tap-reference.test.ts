/** The reference page lists every kind of event with its fields, as the code has them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TAP_EVENTS, TAP_VERSION } from '@bailiwick/kernel'
import { expect, test } from 'vitest'

const page = readFileSync(join(import.meta.dirname, '../../../docs/observability.md'), 'utf8')

test('docs/observability.md lists every kind of event with its fields, and no other', () => {
  const rows = [...page.matchAll(/^\| `([a-z]+\.[a-z]+)` \| ((?:`\w+\??`(?:, )?)+) \|/gm)]
  const listed = rows.map(([, kind, fields]) => [kind, [...(fields ?? '').matchAll(/`(\w+\??)`/g)].map(([, name]) => name)])
  expect(Object.fromEntries(listed)).toEqual(TAP_EVENTS)
  expect(listed).toHaveLength(Object.keys(TAP_EVENTS).length)
})

test('it names the version of the stream', () => {
  expect(page).toContain(`This is version ${TAP_VERSION} of the stream`)
})
