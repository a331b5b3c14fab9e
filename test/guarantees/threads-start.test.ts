/** G8 and G11 on real threads: what happens when a thread cannot start, at first and later. */
import { writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { openSystem } from '@bailiwick/kernel'
import { codeOf, makePlace, until } from '../fixtures/place.ts'
import { saboteur } from '../fixtures/saboteur.actor.ts'
import { unloadable } from '../fixtures/unloadable.actor.ts'
import type { Way } from '../fixtures/unloadable.actor.ts'

const START_MS = 4_000

describe('G8 a system whose thread cannot load a definition is not opened, and leaves the directory free', () => {
  const ways: readonly (readonly [what: string, way: Way, detail: string, startMs: number])[] = [
    ['throws', 'throws', 'not in this thread', 60_000],
    ['calls process.exit', 'exits', 'it exited with code 4', 60_000],
    ['never ends its top-level await', 'waits', 'its top-level await never ends', 60_000],
    ['never ends its top-level await and keeps the thread busy', 'waits-awake', `still being loaded after ${START_MS} ms`, START_MS],
    ['loops', 'spins', `still being loaded after ${START_MS} ms`, START_MS],
    ['exports something else', 'hides', 'the module exports no such actor type', 60_000],
    ['defines something else', 'differs', 'the thread got another definition', 60_000],
  ]
  test.each(ways)('G8 a module that %s', async (_what, way, detail, startMs) => {
    const { directory, open } = makePlace()
    const definition = unloadable(way)
    const opening = openSystem({ directory, actors: [saboteur, definition], supervision: { threads: { startMs } } })
    await expect(opening).rejects.toMatchObject({
      code: 'DEFINITION_NOT_LOADED',
      type: 'unloadable',
      module: definition.module,
      message: expect.stringContaining(detail) as string,
    })
    const system = await open({ actors: [saboteur] })
    expect(system.stats().epoch).toBe(2)
    expect(await system.actor(saboteur, 'a').ask.mark({ text: 'x' })).toBe(1)
  })
})

describe('G11 a thread that dies at each start', () => {
  test.each(['throws-while', 'exits-while'] as const)('G11 is given up after so many, and says so for good: its module %s', async (way) => {
    const { file, open } = makePlace()
    const obstacle = file('obstacle')
    const system = await open({
      actors: [saboteur, unloadable(way, obstacle)],
      shards: 2,
      supervision: { threads: { maxRestarts: 2, backoff: { minMs: 10, maxMs: 20 } } },
    })
    const keys = Array.from({ length: 20 }, (_none, index) => `k${index}`)
    const threads = await Promise.all(keys.map((key) => system.actor(saboteur, key).ask.where()))
    const other = keys.find((_key, index) => threads[index] !== threads[0]) ?? ''
    writeFileSync(obstacle, '')
    void codeOf(system.actor(saboteur, 'k0').ask.leave())
    const end = async (): Promise<unknown> => {
      try {
        return await system.actor(saboteur, 'k0').ask.where()
      } catch (error) {
        return error
      }
    }
    const error = await until(end, (seen) => seen instanceof Error && 'isFinal' in seen && seen.isFinal === true)
    expect(error).toMatchObject({ code: 'SHARD_CRASHED', retryable: false, reason: expect.stringContaining('unloadable') as string })
    // Nobody waits any more.
    expect(await codeOf(system.actor(saboteur, 'k0').tell.mark({ text: 'x' }))).toBe('SHARD_CRASHED')
    expect(threads).toContain(await system.actor(saboteur, other).ask.where())
    expect(await system.close()).toMatchObject({ outcome: 'polite' })
  })
})
