import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../../..')

test('the page on traces shows its example as it is', () => {
  const page = readFileSync(join(root, 'docs/actors/traces.md'), 'utf8')
  const shown = [...page.matchAll(/```ts\n\/\/ (packages\/examples\/\S+)\n([\s\S]*?)```/g)]
  expect(shown.map(([, path]) => path)).toEqual(['packages/examples/audit-trail/audit.actor.ts', 'packages/examples/audit-trail/main.ts'])
  for (const [, path = '', text] of shown) expect(text).toBe(readFileSync(join(root, path), 'utf8'))
})
