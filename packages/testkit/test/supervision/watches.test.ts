/** Watches: one notice of another actor's end or hold, whatever crashes, and none of anything less. */
import type { ShardStore } from '@bailiwick/store'
import { describe, expect, test } from 'vitest'
import type { Heard } from './patients.ts'
import { outside, patientOf } from './patients.ts'
import { keyOn, WAYS, wardOf } from './ward.ts'
import type { Ward, Way } from './ward.ts'

const patient = patientOf('patient', { idleMs: 1_000 })
const strict = patientOf('strict', { supervision: { maxRestarts: 0 } })
const frail = patientOf('frail', { supervision: { maxRestarts: 0, onExhausted: 'stop' } })
const weary = patientOf('weary', { supervision: { backoff: { minMs: 10_000, jitter: 0 } } })
const actors = [patient, strict, frail, weary]

const text = (words: string): { readonly text: string } => ({ text: words })

/** The watcher's key, and those of its targets: on other shards, where there are others. */
function keysOn({ shards }: Way) {
  return {
    watcher: keyOn('patient', 0, shards),
    target: keyOn('patient', 1, shards, 't'),
    strict: keyOn('strict', 1, shards),
    frail: keyOn('frail', 2, shards),
  }
}

/** The notices that an actor has heard. */
async function noticesOf(ward: Ward, key: string, definition = patient): Promise<readonly Heard[]> {
  const { context } = await ward.now(ward.system.actor(definition, key).snapshot())
  return context.heard
}

describe.each(WAYS)('$title', (way) => {
  const keys = keysOn(way)
  const watch = async (ward: Ward, key: string, event = 'notice'): Promise<void> => {
    await ward.now(ward.system.actor(patient, keys.watcher).ask.watch({ key, event }))
    await ward.pass(100)
  }

  test('G11 the end of a machine is heard once, as done', async () => {
    const ward = await wardOf(way, { actors })
    await watch(ward, `patient/${keys.target}`)
    await ward.now(ward.system.actor(patient, keys.target).ask.note(text('x')))
    await ward.pass(100)
    expect(await noticesOf(ward, keys.watcher)).toEqual([])
    await ward.now(ward.system.actor(patient, keys.target).ask.end())
    await ward.pass(100)
    expect(await noticesOf(ward, keys.watcher)).toEqual([{ type: 'notice', actor: `patient/${keys.target}`, reason: 'done' }])
    await ward.crash()
    await ward.pass(60_000)
    expect(await noticesOf(ward, keys.watcher)).toHaveLength(1)
    expect(ward.system.stats().outbox).toBe(0)
  })

  test.each([
    ['quarantined', strict],
    ['stopped', frail],
  ] as const)('G11 that an actor is %s is heard once, with its failure', async (reason, definition) => {
    const ward = await wardOf(way, { actors })
    const key = keys[definition.type]
    const target = (): ReturnType<typeof ward.system.actor<typeof strict>> => ward.system.actor(definition as typeof strict, key)
    await watch(ward, `${definition.type}/${key}`)
    await ward.outcome(target().ask.poison(text('bad blood')))
    await ward.pass(100)
    expect(await noticesOf(ward, keys.watcher)).toEqual([
      {
        type: 'notice',
        actor: `${definition.type}/${key}`,
        reason,
        failure: { code: 'COMMAND_FAILED', message: expect.stringContaining('bad blood') as string },
      },
    ])
    // Neither a release nor another failure is heard: the watch is over.
    await ward.now(ward.system.quarantine.release({}))
    await ward.pass(100)
    await ward.outcome(target().ask.poison({}))
    await ward.pass(100)
    await ward.crash()
    await ward.pass(10_000)
    expect(await noticesOf(ward, keys.watcher)).toHaveLength(1)
  })

  test('G11 an actor that is held by hand is quarantined for those who watch it, without a failure', async () => {
    const ward = await wardOf(way, { actors })
    await watch(ward, `patient/${keys.target}`)
    await ward.now(ward.system.quarantine.hold(patient, keys.target, { reason: 'for inspection' }))
    await ward.pass(100)
    expect(await noticesOf(ward, keys.watcher)).toEqual([{ type: 'notice', actor: `patient/${keys.target}`, reason: 'quarantined' }])
  })

  test.each([
    ['done', patient, 'end'],
    ['quarantined', strict, 'poison'],
    ['stopped', frail, 'poison'],
  ] as const)('G11 what has happened already is heard at once: %s', async (reason, definition, deed) => {
    const ward = await wardOf(way, { actors })
    const key = definition === patient ? keys.target : keyOn(definition.type, 1, way.shards)
    const target = ward.system.actor(definition as typeof patient, key)
    await ward.outcome(deed === 'end' ? target.ask.end() : target.ask.poison({}))
    await ward.crash()
    await watch(ward, `${definition.type}/${key}`)
    const notice = { type: 'notice', actor: `${definition.type}/${key}`, reason }
    expect(await noticesOf(ward, keys.watcher)).toMatchObject([notice])
    // The watch is over with it; another one is answered, too.
    await ward.pass(60_000)
    expect(await noticesOf(ward, keys.watcher)).toHaveLength(1)
    await watch(ward, `${definition.type}/${key}`)
    expect(await noticesOf(ward, keys.watcher)).toMatchObject([notice, notice])
  })

  test('G11 nothing is heard of restarts, passivation and crashes of threads and processes', async () => {
    const ward = await wardOf(way, { actors })
    await watch(ward, `patient/${keys.target}`)
    for (let round = 0; round < 3; round += 1) {
      for (let n = 0; n < 3; n += 1) await ward.outcome(ward.system.actor(patient, keys.target).ask.poison({}))
      await ward.pass(10_000)
      expect(ward.system.stats().residentActors).toBe(0)
      await ward.crashThreads()
      await ward.crash()
      await ward.now(ward.system.close())
      await ward.open()
      await ward.pass(100)
    }
    expect(await noticesOf(ward, keys.watcher)).toEqual([])
    // The watch has outlived all of it.
    await ward.now(ward.system.actor(patient, keys.target).ask.end())
    await ward.pass(100)
    expect(await noticesOf(ward, keys.watcher)).toMatchObject([{ reason: 'done' }])
  })

  test('G11 watching twice is one watch, and the later event counts', async () => {
    const ward = await wardOf(way, { actors })
    await watch(ward, `patient/${keys.target}`, 'first')
    await watch(ward, `patient/${keys.target}`, 'second')
    await ward.now(ward.system.actor(patient, keys.target).ask.end())
    await ward.pass(1_000)
    expect((await noticesOf(ward, keys.watcher)).map(({ type }) => type)).toEqual(['second'])
  })

  test('G11 an actor watches several, and each is watched by several', async () => {
    const ward = await wardOf(way, { actors })
    const watchers = [0, 1, 2].map((shard) => keyOn('patient', shard, way.shards, `w${shard}-`))
    const targets = [`frail/${keys.frail}`, `strict/${keys.strict}`]
    for (const key of new Set(watchers))
      for (const target of targets) await ward.now(ward.system.actor(patient, key).ask.watch({ key: target }))
    await ward.pass(100)
    await ward.outcome(ward.system.actor(strict, keys.strict).ask.poison({}))
    await ward.outcome(ward.system.actor(frail, keys.frail).ask.poison({}))
    await ward.pass(100)
    for (const key of watchers) {
      expect((await noticesOf(ward, key)).map(({ actor, reason }) => `${String(actor)} ${String(reason)}`).toSorted()).toEqual([
        `frail/${keys.frail} stopped`,
        `strict/${keys.strict} quarantined`,
      ])
    }
  })

  test('G11 after a notice one may watch again, and hears of the next time', async () => {
    const ward = await wardOf(way, { actors })
    for (let round = 1; round <= 3; round += 1) {
      await watch(ward, `strict/${keys.strict}`)
      await ward.outcome(ward.system.actor(strict, keys.strict).ask.poison({}))
      await ward.pass(100)
      expect(await noticesOf(ward, keys.watcher)).toHaveLength(round)
      await ward.now(ward.system.quarantine.release({}))
      await ward.pass(100)
    }
  })

  test('G11 who watches no more hears nothing', async () => {
    const ward = await wardOf(way, { actors })
    await watch(ward, `patient/${keys.target}`)
    await ward.now(ward.system.actor(patient, keys.watcher).ask.unwatch({ key: `patient/${keys.target}` }))
    await ward.crash()
    await ward.now(ward.system.actor(patient, keys.target).ask.end())
    await ward.pass(1_000)
    expect(await noticesOf(ward, keys.watcher)).toEqual([])
    // Taking back what is not there does nothing.
    await ward.now(ward.system.actor(patient, keys.watcher).ask.unwatch({ key: 'patient/nobody' }))
    await watch(ward, `patient/${keys.target}`)
    expect(await noticesOf(ward, keys.watcher)).toHaveLength(1)
  })

  test('G11 of watching and not watching the last one counts, also within one turn of the program', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(patient, keys.watcher)
    const target = { key: `patient/${keys.target}` }
    const calls = [ref.ask.watch(target), ref.ask.unwatch(target), ref.ask.watch({ ...target, event: 'last' })]
    await Promise.all(calls.map((call) => ward.now(call)))
    await ward.pass(100)
    await ward.now(ward.system.actor(patient, keys.target).ask.end())
    await ward.pass(100)
    expect((await noticesOf(ward, keys.watcher)).map(({ type }) => type)).toEqual(['last'])
    const again = [ref.ask.watch(target), ref.ask.unwatch(target)]
    await Promise.all(again.map((call) => ward.now(call)))
    await ward.pass(1_000)
    // One that had been answered before it was taken back would be heard, but never two.
    expect((await noticesOf(ward, keys.watcher)).length).toBeLessThanOrEqual(2)
  })

  test('G11 taking a watch back beats a notice that is queued', async () => {
    const ward = await wardOf(way, { actors })
    // The watcher rests, so that what comes is queued: first that it is to watch no more, then the notice.
    const watcher = ward.system.actor(weary, 'w')
    const target = `patient/${keys.target}`
    await ward.now(watcher.ask.watch({ key: target }))
    await ward.pass(100)
    await ward.outcome(watcher.ask.poison({}))
    await ward.now(watcher.tell.unwatch({ key: target }, { priority: 'urgent' }))
    await ward.pass(100)
    await ward.now(ward.system.actor(patient, keys.target).ask.end())
    await ward.pass(1_000)
    expect(outside.handled).toEqual([])
    await ward.pass(10_000)
    expect(await noticesOf(ward, 'w', weary as unknown as typeof patient)).toEqual([])
  })

  test('G2 G11 a notice that waits for its watcher is on disk', async () => {
    const ward = await wardOf(way, { actors })
    const target = `patient/${keys.target}`
    await watch(ward, target)
    await ward.now(ward.system.quarantine.hold(patient, keys.watcher, { reason: 'not now' }))
    await ward.now(ward.system.actor(patient, keys.target).ask.end())
    await ward.pass(100)
    await ward.crash()
    await ward.pass(1_000)
    await ward.crash()
    expect(await noticesOf(ward, keys.watcher)).toEqual([])
    await ward.now(ward.system.quarantine.release({}))
    await ward.pass(1_000)
    expect(await noticesOf(ward, keys.watcher)).toMatchObject([{ reason: 'done' }])
  })

  test('G11 a notice that its watcher cannot take is gone, like every event that throws', async () => {
    const ward = await wardOf(way, { actors })
    await watch(ward, `patient/${keys.target}`)
    outside.faulty.add('notice')
    await ward.now(ward.system.actor(patient, keys.target).ask.end())
    await ward.pass(10_000)
    expect(ward.system.stats().restarts).toBe(1)
    outside.faulty.clear()
    await ward.pass(60_000)
    expect(await noticesOf(ward, keys.watcher)).toEqual([])
  })

  test('G4 G11 a watch whose transition throws is none', async () => {
    const ward = await wardOf(way, { actors })
    const ref = ward.system.actor(patient, keys.watcher)
    expect(await ward.outcome(ref.ask.watch({ key: 'unheard-of/a' }))).toBe('COMMAND_FAILED')
    ward.world.disk.failCommits('full')
    expect(await ward.outcome(ref.ask.watch({ key: `patient/${keys.target}` }))).toBe('STORE_UNAVAILABLE')
    ward.world.disk.failCommits(undefined)
    await ward.pass(3_000)
    await ward.now(ward.system.actor(patient, keys.target).ask.end())
    await ward.pass(1_000)
    expect(await noticesOf(ward, keys.watcher)).toEqual([])
  })

  test('G11 one that is held with its group is heard of by those who watch it', async () => {
    const grouped = ['left', 'right'].map((type) =>
      patientOf(type, { supervision: { maxRestarts: 0, group: { name: 'hands', strategy: 'one-for-all' } } }),
    )
    const [left, right] = grouped
    if (left === undefined || right === undefined) throw new Error('There are two.')
    const ward = await wardOf(way, { actors: [patient, left, right] })
    await watch(ward, 'right/a')
    await ward.outcome(ward.system.actor(left, 'a').ask.poison({}))
    await ward.pass(1_000)
    expect(await noticesOf(ward, keys.watcher)).toMatchObject([{ actor: 'right/a', reason: 'quarantined' }])
  })
})

describe.each(WAYS.slice(0, 2))('$title', (way) => {
  const keys = keysOn(way)

  /** Lets the process die at the nth commit from now, before or after it has reached the disk. */
  class Crasher {
    left = Infinity
    /** Whether the process has died and was not opened again yet. */
    isDead = false
    crash: () => void = () => undefined
    readonly #point: 'before' | 'after'

    constructor(point: 'before' | 'after') {
      this.#point = point
    }

    readonly wrap = (store: ShardStore): ShardStore =>
      new Proxy(store, {
        get: (target, name: keyof ShardStore) => {
          const value = target[name]
          if (name !== 'commit') return typeof value === 'function' ? value.bind(target) : value
          return (batch: Parameters<ShardStore['commit']>[0]) => {
            this.left -= 1
            if (this.left !== 0) return target.commit(batch)
            if (this.#point === 'after') void target.commit(batch)
            this.isDead = true
            this.crash()
            throw new Error('The process is dead.')
          }
        },
      })
  }

  test.each(['before', 'after'] as const)(
    'G2 G3 G11 exactly one notice, whichever commit the process dies %s',
    { timeout: 60_000 },
    async (point) => {
      for (let dies = 1; dies <= 12; dies += 1) {
        const crasher = new Crasher(point)
        const ward = await wardOf(way, { actors, wrapStore: crasher.wrap })
        crasher.crash = () => ward.world.crash()
        const revive = async (): Promise<boolean> => {
          if (!crasher.isDead) return false
          crasher.isDead = false
          await ward.open()
          return true
        }
        const careful = async (act: () => Promise<unknown>): Promise<void> => {
          for (let tries = 0; tries < 10; tries += 1) {
            let outcome: unknown = 'pending'
            act().then(
              () => (outcome = 'done'),
              () => (outcome = 'failed'),
            )
            await ward.pass(100)
            if (!(await revive()) && outcome === 'done') return
          }
          throw new Error('It is never done.')
        }
        crasher.left = dies
        await careful(() =>
          ward.system.actor(patient, keys.watcher).ask.watch({ key: `strict/${keys.strict}` }, { idempotencyKey: 'watch' }),
        )
        await careful(() => ward.system.actor(strict, keys.strict).tell.poison({}, { idempotencyKey: 'poison' }))
        for (let round = 0; round < 3; round += 1) {
          await ward.pass(2_000)
          await revive()
        }
        await ward.pass(5_000)
        expect(await noticesOf(ward, keys.watcher), `dies at commit ${dies}`).toMatchObject([
          { reason: 'quarantined', actor: `strict/${keys.strict}` },
        ])
        // And once more, with everything that is owed sent again.
        await ward.crash()
        await ward.pass(5_000)
        expect(await noticesOf(ward, keys.watcher)).toHaveLength(1)
        expect(ward.system.stats().outbox).toBe(0)
        await ward.world.close()
      }
    },
  )
})
