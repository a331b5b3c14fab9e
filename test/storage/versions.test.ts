/** Directories of other versions: an older one is brought up to date and goes on; a newer one is refused as a whole, and untouched. */
import { cpSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { journaled, ledger } from '../fixtures/ledger.actor.ts'
import { codeOf, makePlace, until } from '../fixtures/place.ts'
import { errorsIn } from './fixtures/subject.ts'
import { deliver, workshop } from './fixtures/workshop.actor.ts'

const OPTIONS = { actors: [ledger], shards: 2 }

function setVersion(file: string, version: number): number {
  const db = new Sqlite(file)
  const before = Number(db.pragma('user_version', { simple: true }))
  db.pragma(`user_version = ${version}`)
  db.close()
  return before
}

function contentOf(directory: string): ReadonlyMap<string, string> {
  const files = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile() && !entry.name.endsWith('-shm'))
  return new Map(files.map(({ name }) => [name, readFileSync(join(directory, name)).toString('base64')]))
}

describe('a directory of a newer version', () => {
  test.each(['owner.db', 'shard-0.db', 'shard-1.db'])(
    'in its %s is refused, which names the file and both versions, and nothing is written',
    async (name) => {
      const { directory, open } = makePlace()
      const file = join(directory, name)
      const first = await open(OPTIONS)
      await first.actor(ledger, 'a').ask.enter({ sender: 's', n: 1 })
      await first.close()
      const supported = setVersion(file, 99)
      const before = contentOf(directory)
      await expect(open(OPTIONS)).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW', file, found: 99, supported, retryable: false })
      expect(contentOf(directory)).toEqual(before)
      setVersion(file, supported)
      const again = await open(OPTIONS)
      expect(await again.actor(ledger, 'a').ask.enter({ sender: 's', n: 2 })).toBe(2)
      await again.close()
      expect(errorsIn(directory)).toEqual([])
    },
  )

  test('that was upgraded under its owner stops nothing that runs, and is refused from then on', async () => {
    const { directory, open } = makePlace()
    const first = await open(OPTIONS)
    await first.actor(ledger, 'a').ask.enter({ sender: 's', n: 1 })
    for (const name of ['shard-0.db', 'shard-1.db']) setVersion(join(directory, name), 99)
    expect(await first.actor(ledger, 'a').ask.enter({ sender: 's', n: 2 })).toBe(2)
    await first.close()
    expect(await codeOf(open(OPTIONS))).toBe('SCHEMA_TOO_NEW')
  })
})

const fixtures = join(import.meta.dirname, 'fixtures')
const earlier = readdirSync(fixtures).filter((name) => /^v\d+-system$/.test(name))

describe('a directory of an earlier version', () => {
  test.each(earlier)(
    'G2 G3 G9 that was killed (%s) has everything that it acknowledged; keys, stored commands and timers go on',
    async (name) => {
      const { directory, open } = makePlace()
      mkdirSync(dirname(directory), { recursive: true })
      cpSync(join(fixtures, name, 'data'), directory, { recursive: true })
      const content = JSON.parse(readFileSync(join(fixtures, name, 'content.json'), 'utf8')) as Readonly<Record<string, number>> // Written by `make-system.ts`.
      const options = { actors: [ledger, journaled, workshop], effects: [deliver] }
      const system = await open(options)
      expect(system.stats()).toMatchObject({ stranded: 0 })
      for (const [address, acknowledged] of Object.entries(content)) {
        const [type, key = ''] = address.split(' ')
        const ref = type === 'ledger' ? system.actor(ledger, key) : system.actor(journaled, key)
        const { last, violations } = await until(
          () => ref.ask.read(),
          (seen) => (seen.last['s'] ?? 0) >= acknowledged,
        )
        expect(violations).toEqual([])
        // The key was used in the life before: the command is not handled again, and its answer is the one it had.
        expect(await ref.ask.enter({ sender: 's', n: 2 }, { idempotencyKey: 'second' })).toBe(2)
        expect(await ref.ask.enter({ sender: 's', n: (last['s'] ?? 0) + 1 })).toBe((last['s'] ?? 0) + 1)
      }
      await until(
        () => system.actor(workshop, 'w').ask.read(),
        ({ rings }) => rings === 1,
      )
      await system.close()
      expect(errorsIn(directory)).toEqual([])
      const again = await open(options)
      expect((await again.actor(workshop, 'w').ask.read()).rings).toBe(1)
      await again.close()
    },
  )
})
