/**
 * Turns and crashes: the process dies at every commit of a preemption, just before it reaches the disk and just after,
 * and storms of urgent handlers meet a worker and dying threads.
 */
import type { PreemptMode, System, TurnContext, TurnView } from '@bailiwick/kernel'
import { describe, expect, test } from 'vitest'
import { codeOf } from '../code-of.ts'
import { follow } from '../delivery.ts'
import { ledger, repo, rest, setUp, stage, typesOf } from './scripted.ts'
import type { Faults, Frame, Scene } from './scripted.ts'

const MINUTE_MS = 60_000
const STEPS = 3

interface Did {
  readonly step: number
  readonly epoch: number
  readonly life: number
}

/** What the worker did, step by step, and how often each handler came to its end. */
interface Deeds {
  readonly steps: Did[]
  readonly handled: string[]
}

/** A worker of three steps, each of which it makes durable if `framed`; handlers that take ten milliseconds. */
function script({ world }: Scene, framed: boolean, heeds = true): Deeds {
  const deeds: Deeds = { steps: [], handled: [] }
  stage.scripts['work'] = async (context: TurnContext<unknown, Frame>, { life }) => {
    for (let step = context.frame?.step ?? 0; step < STEPS; step += 1) {
      await rest(world, 100, heeds ? context.signal : new AbortController().signal)
      // One that belongs to a thread or process that is dead does nothing more.
      if (context.interrupted() || stage.life !== life) return undefined
      deeds.steps.push({ step, epoch: context.epoch, life })
      if (framed) await context.checkpoint({ step: step + 1 })
    }
    return 'all steps done'
  }
  stage.scripts['urge'] = async (context, { life }) => {
    await rest(world, 10, context.signal)
    if (context.interrupted() || stage.life !== life) return undefined
    deeds.handled.push(context.input.text)
    return context.input.text
  }
  return deeds
}

type Definition = typeof repo | typeof ledger

/** What a careful caller does: sends with a key until it has been accepted, in whatever process. */
class Caller {
  readonly #scene: Scene
  readonly #definition: Definition
  system: System | undefined
  crashes = 0

  constructor(scene: Scene, definition: Definition) {
    this.#scene = scene
    this.#definition = definition
  }

  /** Opens the system, again if the process dies meanwhile. */
  async open(): Promise<System> {
    const { world, open } = this.#scene
    for (let tries = 0; tries < 20 && this.system === undefined; tries += 1) {
      const { crashes } = this
      let opened: System | undefined
      void codeOf(
        open().then((system) => {
          opened = system
        }),
      )
      await world.advance(0)
      if (crashes === this.crashes) this.system = opened
    }
    if (this.system === undefined) throw new Error('the system does not open')
    return this.system
  }

  /** Lets the process die. */
  die(): void {
    this.crashes += 1
    stage.life += 1
    this.system = undefined
    this.#scene.world.crash()
  }

  /** Does something until it has been answered. */
  async insist<Reply>(what: (ref: ReturnType<System['actor']> & Ref) => Promise<Reply>): Promise<Reply> {
    for (let tries = 0; tries < 50; tries += 1) {
      const system = this.system ?? (await this.open())
      const { crashes } = this
      let answer: { readonly value: Reply } | undefined
      void codeOf(
        what(system.actor(this.#definition, 'a') as unknown as ReturnType<System['actor']> & Ref).then((value) => {
          answer = { value }
        }),
      )
      await this.#scene.world.advance(0)
      if (answer !== undefined && crashes === this.crashes) return answer.value
      await this.#scene.world.advance(1_000)
      if (answer !== undefined && crashes === this.crashes) return answer.value
    }
    throw new Error('nothing was answered')
  }
}

/** What the tests need of a ref, of either definition. */
type Ref = Pick<ReturnType<System['actor']>, 'key'> & {
  readonly ask: { readonly heard: () => Promise<readonly { readonly type: string }[]> }
  readonly tell: Record<
    'work' | 'urge',
    (input: { readonly text: string }, options: { readonly idempotencyKey: string; readonly preempt?: PreemptMode }) => Promise<unknown>
  >
  readonly turns: (options?: { readonly limit: number }) => Promise<readonly TurnView[]>
  readonly snapshot: () => Promise<{ readonly context: { readonly heard: readonly { readonly type: string }[] } } & object>
}

function epochsOf(): readonly number[] {
  return stage.stretches.map(({ context }) => context.epoch)
}

function hasStruck({ strike }: Faults): boolean {
  return strike === undefined
}

/** Runs a preemption with the process dying at one commit of it; answers whether it got that far. */
async function crashAt(
  definition: Definition,
  mode: PreemptMode,
  framed: boolean,
  point: 'before' | 'after',
  commit: number,
): Promise<boolean> {
  const scene = setUp()
  const { world, faults } = scene
  const deeds = script(scene, framed)
  const caller = new Caller(scene, definition)
  await caller.open()
  faults.strike = { point, left: commit, what: () => caller.die() }
  const where = `${mode}, ${framed ? 'framed' : 'unframed'}, ${point} commit ${commit}`
  await caller.insist((ref) => ref.tell.work({ text: 'w' }, { idempotencyKey: 'w' }))
  await world.advance(150)
  await caller.insist((ref) => ref.tell.urge({ text: 'u' }, { idempotencyKey: 'u', preempt: mode }))
  await world.advance(5)
  await caller.insist((ref) => ref.tell.urge({ text: 'v' }, { idempotencyKey: 'v', preempt: mode }))
  await world.advance(MINUTE_MS)
  await caller.open()
  await world.advance(MINUTE_MS)
  const struck = hasStruck(faults)
  faults.strike = undefined
  const views = await caller.insist((ref) => ref.turns({ limit: 100 }))
  // Each command is one turn, and each turn has come to one end.
  expect(views.map(({ command }) => command).toSorted(), where).toEqual(['urge', 'urge', 'work'])
  expect(
    views.every(({ state }) => state === 'ended'),
    `${where}: ${JSON.stringify(views)}`,
  ).toBe(true)
  for (const view of views.filter(({ command }) => command === 'urge')) expect(view.outcome, where).toMatchObject({ outcome: 'ok' })
  const work = views.find(({ command }) => command === 'work')
  const allowed = mode === 'abort-drop' ? ['ok', 'cancelled'] : ['ok']
  expect(allowed, `${where}: ${JSON.stringify(work)}`).toContain(work?.outcome?.outcome)
  // A turn has ended once, as far as the machine knows.
  const types = typesOf((await caller.insist((ref) => ref.snapshot())) as Parameters<typeof typesOf>[0])
  const ends = types.filter((type) => type === 'work.done' || type === 'work.failed')
  expect(ends.length, `${where}: ${types.join(' ')}`).toBe(work?.outcome?.outcome === 'ok' ? 1 : 0)
  expect(types.filter((type) => type === 'urge.done').length, where).toBe(2)
  // Epochs of the stretches that ran grow, over the lives as well.
  const epochs = epochsOf()
  expect(new Set(epochs).size, `${where}: ${epochs.join(' ')}`).toBe(epochs.length)
  expect(epochs, where).toEqual(epochs.toSorted((left, right) => left - right))
  if (framed && mode === 'steal') {
    // No step that was made durable is done again: only the one at which the process died may be.
    const repeated = deeds.steps.length - new Set(deeds.steps.map(({ step }) => step)).size
    expect(repeated, `${where}: ${JSON.stringify(deeds.steps)}`).toBeLessThanOrEqual(1)
  }
  return struck
}

const MODES = ['steal', 'abort-keep', 'abort-drop'] as const

describe.each([
  ['a snapshot', repo],
  ['a journal', ledger],
] as const)('K22 a process that dies at a commit, of an actor that keeps %s', (_what, definition) => {
  test.each(
    MODES.flatMap((mode) =>
      [true, false].flatMap((framed) => (['before', 'after'] as const).map((point) => [mode, framed, point] as const)),
    ),
  )(
    'during %s (checkpoints: %o), %s each of its commits: every command has one end, and epochs only grow',
    { timeout: 120_000 },
    async (mode, framed, point) => {
      let commit = 1
      while (await crashAt(definition, mode, framed, point, commit)) commit += 1
      expect(commit).toBeGreaterThan(6)
    },
  )
})

describe('K22 a crash at a moment', () => {
  test.each([true, false])(
    '(a) after the command is stored, in the drain of a turn that ignores its signal (frame: %o)',
    async (framed) => {
      const scene = setUp()
      const { world, open } = scene
      const deeds = script(scene, false)
      stage.scripts['work'] = async (context, stretch) => {
        if (framed && stretch.life === 1) await context.checkpoint({ step: 2 })
        return await stretch.held()
      }
      const ref = (await open()).actor(repo, 'a')
      await ref.tell.work({ text: 'w' }, { idempotencyKey: 'w' })
      await world.advance(0)
      await ref.tell.urge({ text: 'u' }, { idempotencyKey: 'u' })
      await world.advance(1_000)
      expect(stage.last().interruption).toMatchObject({ mode: 'steal' })
      const again = (await scene.reopen()).actor(repo, 'a')
      await world.advance(0)
      // The urgent one goes first, and the old holder is gone.
      expect(stage.last().command).toBe('urge')
      await world.advance(100)
      expect(deeds.handled).toEqual(['u'])
      const { context } = stage.last('work')
      expect(context.frame).toEqual(framed ? { step: 2 } : undefined)
      expect(context.attempt).toBe(framed ? 1 : 2)
      expect(stage.count('work')).toBe(2)
      stage.last('work').finish('done')
      await world.advance(0)
      expect(await again.ask.work({ text: 'w' }, { idempotencyKey: 'w' })).toEqual({ outcome: 'ok', value: 'done' })
      expect(await again.ask.urge({ text: 'u' }, { idempotencyKey: 'u' })).toEqual({ outcome: 'ok', value: 'u' })
    },
  )

  test.each(['abort-keep', 'abort-drop'] as const)(
    '(b) in the drain of %s: the intent still counts afterwards, though there is a frame',
    async (mode) => {
      const scene = setUp()
      const { world, open } = scene
      stage.scripts['work'] = async (context, stretch) => {
        if (stretch.life === 1) await context.checkpoint({ step: 2 })
        return await stretch.held()
      }
      const first = (await open()).actor(repo, 'a')
      await first.tell.work({ text: 'w' }, { idempotencyKey: 'w' })
      await world.advance(0)
      expect(await first.cancelTurn(stage.last().context.turn, { mode, reason: 'changed' })).toEqual({ outcome: 'accepted' })
      const ref = (await scene.reopen()).actor(repo, 'a')
      await world.advance(MINUTE_MS)
      if (mode === 'abort-drop') {
        expect(await ref.ask.work({ text: 'w' }, { idempotencyKey: 'w' })).toMatchObject({
          outcome: 'cancelled',
          mode,
          by: { reason: 'changed' },
        })
        expect(stage.count('work')).toBe(1)
      } else {
        expect(stage.count('work')).toBe(2)
        expect(stage.last().context).toMatchObject({ frame: undefined, attempt: 2 })
      }
    },
  )

  test('(d) while a handler runs: it starts again, then the parked turn resumes from its frame, once', async () => {
    const scene = setUp()
    const { world, open } = scene
    const first = (await open()).actor(repo, 'a')
    await first.tell.work({ text: 'w' }, { idempotencyKey: 'w' })
    await world.advance(0)
    stage.last().step = 4
    await first.tell.urge({ text: 'u' }, { idempotencyKey: 'u' })
    await world.advance(0)
    expect(stage.last().command).toBe('urge')
    const ref = (await scene.reopen()).actor(repo, 'a')
    await world.advance(0)
    expect(stage.last()).toMatchObject({ command: 'urge', life: 2 })
    expect(stage.last().context.attempt).toBe(2)
    stage.last().finish()
    await world.advance(0)
    expect(stage.last()).toMatchObject({ command: 'work', life: 2 })
    expect(stage.last().context).toMatchObject({ frame: { step: 4 }, attempt: 1 })
    stage.last().finish()
    await world.advance(0)
    expect((await ref.turns()).map(({ outcome }) => outcome?.outcome)).toEqual(['ok', 'ok'])
    expect(stage.stretches.filter(({ life }) => life === 2)).toHaveLength(2)
  })

  test('(e) while it resumes: it resumes again from the same frame, in the same attempt', async () => {
    const scene = setUp()
    const { world, open } = scene
    const first = (await open()).actor(repo, 'a')
    await first.tell.work({ text: 'w' }, { idempotencyKey: 'w' })
    await world.advance(0)
    stage.last().step = 4
    await first.tell.urge({ text: 'u' }, { idempotencyKey: 'u' })
    await world.advance(0)
    stage.last().finish()
    await world.advance(0)
    expect(stage.last().command).toBe('work')
    await scene.reopen()
    await world.advance(0)
    expect(stage.stretches.filter(({ life }) => life === 2)).toHaveLength(1)
    expect(stage.last()).toMatchObject({ command: 'work', life: 2 })
    expect(stage.last().context).toMatchObject({ frame: { step: 4 }, attempt: 1 })
    expect(stage.count('urge')).toBe(1)
  })

  test('never two stretches at once: after a crash exactly one runs, and no other begins while it does', async () => {
    const scene = setUp()
    const { world, open } = scene
    const ref = (await open()).actor(repo, 'a')
    for (const text of ['1', '2', '3']) await ref.tell.work({ text })
    await world.advance(0)
    await scene.reopen()
    await world.advance(MINUTE_MS)
    const running = stage.stretches.filter(({ life, isOver }) => life === 2 && !isOver)
    expect(running.map(({ context }) => [context.input.text, context.attempt])).toEqual([['1', 2]])
  })
})

describe('a turn whose thread dies again and again', () => {
  test.each([true, false])('G11 is not started for ever: it ends as failed, and the next one has its turn (frame: %o)', async (framed) => {
    const scene = setUp()
    const { world, open } = scene
    const ref = (await open()).actor(repo, 'a')
    await ref.tell.work({ text: 'deadly' }, { idempotencyKey: 'w' })
    await ref.tell.work({ text: 'next' })
    await world.advance(0)
    for (let time = 0; time < 20 && stage.last().context.input.text === 'deadly'; time += 1) {
      if (framed) void codeOf(stage.last().context.checkpoint({ step: 1 }))
      await world.advance(0)
      world.crashThreads()
      await world.advance(30 * MINUTE_MS)
    }
    expect(stage.last().context.input.text).toBe('next')
    stage.last().finish()
    await world.advance(0)
    expect((await ref.turns()).map(({ outcome }) => outcome?.outcome)).toEqual(['ok', 'failed'])
  })
})

describe('storms', () => {
  test.each([
    ['no fault', 0, 'none'],
    ['the thread dying now and then', 12, 'threads'],
    ['the process dying now and then', 9, 'process'],
  ] as const)(
    'K32 fifty urgent handlers and one worker, with %s: everybody is served once, in order, epochs only grow',
    { timeout: 60_000 },
    async (_what, every, how) => {
      const scene = setUp()
      const { world } = scene
      const deeds = script(scene, true)
      const caller = new Caller(scene, repo)
      await caller.open()
      await caller.insist((ref) => ref.tell.work({ text: 'w' }, { idempotencyKey: 'w' }))
      await world.advance(50)
      const names = Array.from({ length: 50 }, (_none, index) => String(index))
      for (const [index, text] of names.entries()) {
        await caller.insist((ref) => ref.tell.urge({ text }, { idempotencyKey: `u${text}` }))
        if (index % 3 === 0) await world.advance(7)
        if (every > 0 && index % every === every - 1) {
          if (how === 'process') caller.die()
          else world.crashThreads()
          await world.advance(how === 'process' ? 0 : 200)
        }
      }
      await caller.open()
      await world.advance(MINUTE_MS)
      const views = await caller.insist((ref) => ref.turns({ limit: 1_000 }))
      expect(views).toHaveLength(51)
      expect(views.filter(({ outcome }) => outcome?.outcome === 'ok')).toHaveLength(51)
      // Each came to its end; one whose thread died just after it may have come there twice, and counts once.
      expect(deeds.handled.filter((text, index) => deeds.handled.indexOf(text) === index)).toEqual(names)
      const types = typesOf((await caller.insist((ref) => ref.snapshot())) as Parameters<typeof typesOf>[0])
      expect(types.filter((type) => type === 'urge.done')).toHaveLength(50)
      expect(types.filter((type) => type === 'work.done')).toHaveLength(1)
      if (how === 'none') expect(deeds.handled).toHaveLength(50)
      // The worker did each step once, but for those at which it was cut off.
      expect(new Set(deeds.steps.map(({ step }) => step)).size).toBe(STEPS)
      const epochs = epochsOf()
      expect(epochs).toEqual(epochs.toSorted((left, right) => left - right))
      expect(new Set(epochs).size).toBe(epochs.length)
    },
  )

  test('K32 storms on many actors of several shards do not get into each other’s way', { timeout: 60_000 }, async () => {
    const scene = setUp({ shards: 3 })
    const { world, open } = scene
    script(scene, true)
    const system = await open()
    const keys = Array.from({ length: 20 }, (_none, index) => `k${index}`)
    for (const key of keys) await system.actor(repo, key).tell.work({ text: key })
    await world.advance(50)
    for (let round = 0; round < 5; round += 1) {
      const told = keys.map((key) => follow(system.actor(repo, key).tell.urge({ text: `${key} ${round}` })))
      await world.advance(1_000)
      expect(told.map((outcome) => outcome())).toEqual(keys.map(() => ({ outcome: 'accepted' })))
      if (round !== 2) continue
      for (const key of keys) await system.actor(repo, key).tell.urge({ text: `${key} at the crash` })
      world.crashThreadOf(1)
    }
    await world.advance(MINUTE_MS)
    for (const key of keys) {
      const views = await system.actor(repo, key).turns()
      expect(
        views.map(({ outcome }) => outcome?.outcome),
        key,
      ).toEqual(Array.from({ length: 7 }, () => 'ok'))
    }
  })
})
