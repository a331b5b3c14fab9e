/** The life of a turn on real threads and processes: what it is started and restarted by, what ends it, and what is left of it. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { gunzipSync } from 'node:zlib'
import Sqlite from 'better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ledger } from '../fixtures/ledger.actor.ts'
import { codeOf } from '../fixtures/place.ts'
import { DRAIN_MS, moment, readLog, SECRET } from '../fixtures/session.actor.ts'
import type { Line } from '../fixtures/session.actor.ts'
import { isAlive, SessionScene } from '../fixtures/session-scene.ts'
import type { Running } from '../fixtures/session-scene.ts'

/** A session that was sent something is ended when it has said nothing for so long. */
const NO_REPLY_MS = 500

async function sceneOf(options: Parameters<SessionScene['open']>[0] = {}): Promise<SessionScene> {
  return await new SessionScene().open(options)
}

/** A turn whose first step is committed, and which is in its second. */
async function inSecondStep(
  scene: SessionScene,
  command: 'spec' | 'stubborn' | 'thread',
  task: Parameters<SessionScene['running']>[2] = {},
): Promise<Running> {
  const first = await scene.running(command, 'S', { steps: 3, ...task })
  scene.finish('S', 0)
  return { line: await scene.line('sent', 'S', 2), answer: first.answer }
}

/** Waits until a process has gone. */
async function gone(scene: SessionScene, pid: number | undefined): Promise<void> {
  await scene.until(
    () => isAlive(pid),
    (lives) => !lives,
  )
}

/** Starts a program of the fixtures on a directory; answers what it says first, and how to kill it. */
async function start(program: string, args: readonly string[]): Promise<{ readonly line: unknown; readonly kill: () => Promise<void> }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../fixtures', program), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  onTestFinished(() => void child.kill('SIGKILL'))
  const [text]: readonly unknown[] = await once(createInterface({ input: child.stdout }), 'line')
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
  }
  return { line: JSON.parse(String(text)), kill }
}

describe('ranks of tasks', () => {
  test.each([
    ['ci', 'thread'],
    ['thread', 'spec'],
  ] as const)('K16 a new %s task sends a running %s task back to its place, to start again later', async (higher, lower) => {
    const scene = await sceneOf()
    const { line, answer } = await inSecondStep(scene, lower)
    const urgent = await scene.running(higher, 'urgent')
    expect(await scene.view(line.turn)).toMatchObject({
      state: 'pending',
      isFrameDiscarded: true,
      history: [{ outcome: 'cancelled', mode: 'abort-keep', by: { command: higher, turn: urgent.line.turn } }],
    })
    scene.finish('urgent')
    await urgent.answer
    for (const step of [1, 2]) scene.finish('S', step)
    expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
    expect(scene.order).toEqual(['S', 'urgent', 'S'])
    expect(scene.lines('begin', 'S').map(({ attempt, frame }) => ({ attempt, frame }))).toEqual([{ attempt: 1 }, { attempt: 2 }])
  })

  test('K17 a task that no state takes neither preempts nor is picked, asked or told', async () => {
    const scene = await sceneOf()
    const { line, answer } = await scene.running('spec', 'S')
    const task = { name: 'never', log: scene.log, isHeld: false }
    expect(await codeOf(scene.ref.ask.question(task))).toBe('COMMAND_REJECTED')
    expect(await codeOf(scene.ref.ask.defer(task))).toBe('COMMAND_REJECTED')
    await scene.ref.tell.question(task)
    await scene.until(
      () => scene.system.deadLetters.list(),
      (letters) => letters.length === 1,
    )
    expect(await scene.system.deadLetters.list()).toMatchObject([{ command: 'question', reason: 'rejected' }])
    expect(await scene.view(line.turn)).not.toHaveProperty('intent')
    scene.finish('S')
    await answer
    await scene.ask('spec', 'after', { isHeld: false })
    expect(scene.order).toEqual(['S', 'after'])
    expect(scene.lines('signal')).toEqual([])
  })
})

describe('a cancel at an awkward moment', () => {
  test('K18 between pick and start it takes effect: no prompt runs to its end before the urgent one has begun', async () => {
    const scene = await sceneOf()
    await scene.ask('spec', 'first', { isHeld: false })
    for (let round = 0; round < 12; round += 1) {
      const [name, urgent] = [`S${round}`, `h${round}`]
      // It comes to no end before the test lets it: an urgent one that is not let in at once would wait for ever.
      const answer = scene.ask('spec', name)
      const until = moment() + round * 0.4
      while (moment() < until) await new Promise((resolve) => setImmediate(resolve))
      expect(await scene.ask('handler', urgent, { isHeld: false })).toMatchObject({ outcome: 'ok' })
      scene.finish(name)
      expect(await answer).toMatchObject({ outcome: 'ok' })
      const { at } = await scene.line('begin', urgent)
      const begun = scene.lines('begin', name).filter((line) => line.at < at)
      expect(scene.lines('signal', name).length).toBeLessThanOrEqual(begun.length)
      expect(scene.lines('step', name).every((line) => line.at > at)).toBe(true)
    }
  })

  test('K18 a turn that is dropped while it waits is never sent', async () => {
    const scene = await sceneOf()
    const { answer } = await scene.running('spec', 'S')
    const waiting = scene.ask('spec', 'unwanted', { isHeld: false })
    const { turn } = await scene.waiting('spec')
    expect(await scene.ref.cancelTurn(turn, { reason: 'not wanted' })).toEqual({ outcome: 'accepted' })
    expect(await waiting).toMatchObject({ outcome: 'cancelled', mode: 'abort-drop', by: { reason: 'not wanted' } })
    scene.finish('S')
    expect(await answer).toMatchObject({ outcome: 'ok' })
    await scene.ask('spec', 'after', { isHeld: false })
    expect(scene.order).toEqual(['S', 'after'])
  })

  test('K19 the first prompt of whoever preempts runs to a normal result, and so does that of whoever resumes', async () => {
    const scene = await sceneOf()
    const { answer } = await inSecondStep(scene, 'spec')
    expect(await scene.ask('handler', 'h', { isHeld: false })).toEqual({ outcome: 'ok', value: 'h done' })
    for (const step of [1, 2]) scene.finish('S', step)
    expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
    expect(scene.lines('signal').map(({ name }) => name)).toEqual(['S'])
    expect(scene.lines('interrupt')).toHaveLength(1)
    expect(scene.lines('sent').map(({ name }) => name)).toEqual(['S', 'S', 'h', 'S', 'S'])
  })
})

describe('a provider that crashes', () => {
  test('K20 after a cancel: a dropped turn is cancelled, and its prompt is not sent again', async () => {
    const scene = await sceneOf()
    const { line, answer } = await inSecondStep(scene, 'spec', { provider: 'dies interrupted' })
    const { provider } = await scene.line('session', 'S')
    expect(await scene.ask('handler', 'h', { isHeld: false }, { preempt: 'abort-drop' })).toMatchObject({ outcome: 'ok' })
    expect(await answer).toMatchObject({ outcome: 'cancelled', mode: 'abort-drop', by: { command: 'handler' }, epoch: line.epoch })
    await gone(scene, provider)
    expect(scene.lines('sent').map(({ name, step }) => ({ name, step }))).toEqual([
      { name: 'S', step: 0 },
      { name: 'S', step: 1 },
      { name: 'h', step: 0 },
    ])
    expect(scene.order).toEqual(['S', 'h'])
    expect((await scene.line('session', 'h')).isFresh).toBe(true)
  })

  test('K20 after a cancel: a turn that was stolen from is cancelled, and its prompt is not sent before it resumes', async () => {
    const scene = await sceneOf()
    const { line, answer } = await inSecondStep(scene, 'spec', { provider: 'dies interrupted' })
    const handler = await scene.running('handler', 'h')
    expect(await scene.view(line.turn)).toMatchObject({
      state: 'parked',
      attempt: 1,
      frame: { step: 1 },
      history: [{ outcome: 'cancelled', mode: 'steal' }],
    })
    expect(scene.lines('sent').map(({ name }) => name)).toEqual(['S', 'S', 'h'])
    scene.finish('h')
    await handler.answer
    for (const step of [1, 2]) scene.finish('S', step)
    expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
    expect(scene.lines('begin', 'S').map(({ attempt }) => attempt)).toEqual([1, 1])
    expect(scene.lines('step', 'S').map(({ step }) => step)).toEqual([0, 1, 2])
  })

  test('K21 without a cancel: one transparent retry on a fresh session, and the outcome is normal', async () => {
    const scene = await sceneOf()
    const answer = scene.ask('spec', 'S', { provider: 'dies' })
    await scene.line('begin', 'S', 2)
    scene.finish('S')
    expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
    const [first, second] = scene.lines('begin', 'S')
    expect(second).toMatchObject({ turn: first?.turn, attempt: 2, epoch: (first?.epoch ?? 0) + 1 })
    const sessions = scene.lines('session', 'S')
    expect(sessions.map(({ isFresh }) => isFresh)).toEqual([true, true])
    expect(sessions[0]?.provider).not.toBe(sessions[1]?.provider)
    expect((await scene.heard()).map(({ type }) => type)).not.toContain('spec.failed')
    expect(await scene.system.deadLetters.list()).toEqual([])
  })
})

describe('a store that cannot be written', () => {
  test('K24 the sender of an urgent command gets an error, no signal fires, nothing is in memory, and all goes on', async () => {
    const scene = await sceneOf()
    const { line, answer } = await inSecondStep(scene, 'spec')
    const before = await scene.everything()
    const intruder = new Sqlite(join(scene.place.directory, 'shard-0.db'))
    onTestFinished(() => void intruder.close())
    intruder.exec('BEGIN IMMEDIATE')
    expect(await codeOf(scene.tell('handler', 'lost', { isHeld: false }))).toBe('STORE_UNAVAILABLE')
    intruder.exec('ROLLBACK')
    expect(
      await scene.until(
        () => codeOf(scene.everything()),
        (seen) => typeof seen === 'object',
      ),
    ).toEqual(before)
    expect(scene.lines('signal')).toEqual([])
    expect(scene.system.stats().turns).toEqual({ running: 1, preemptions: 0, forced: 0 })
    const handler = await scene.running('handler', 'h')
    expect(await scene.view(line.turn)).toMatchObject({ state: 'parked', frame: { step: 1 } })
    scene.finish('h')
    await handler.answer
    for (const step of [1, 2]) scene.finish('S', step)
    expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
    expect(scene.order).toEqual(['S', 'h', 'S'])
  })
})

describe('owners', () => {
  test('K26 G8 a second process is refused while a turn runs, and the turn does not notice', async () => {
    const scene = await sceneOf()
    const { line, answer } = await inSecondStep(scene, 'spec')
    const second = await start('session-owner.ts', [scene.place.directory, scene.log]).catch((error: unknown) => error)
    expect(second).toMatchObject({ line: { code: 'DIRECTORY_IN_USE', pid: process.pid } })
    expect(await scene.view(line.turn)).toMatchObject({ state: 'running', epoch: line.epoch })
    for (const step of [1, 2]) scene.finish('S', step)
    expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
    expect(scene.order).toEqual(['S'])
  })

  test('G8 A24 A19 after kill −9 of the owner the next one resumes the turn; nothing that the dead one started lives, nothing else dies, and no secret is on disk', async () => {
    const scene = new SessionScene()
    const { directory } = scene.place
    // One of those that the second provider starts leaves its group, and is left alone when that is ended politely.
    onTestFinished(() => {
      for (const { child } of readLog(scene.log).filter(({ what }) => what === 'grandchild')) {
        if (child !== undefined && isAlive(child)) process.kill(child, 'SIGKILL')
      }
    })
    const owner = await start('session-owner.ts', [directory, scene.log])
    expect(owner.line).toMatchObject({ epoch: 1 })
    const first = await scene.line('sent', 'S')
    scene.finish('S', 0)
    await scene.line('sent', 'S', 2)
    await scene.line('prompt', undefined, 2)
    const bystander = spawn('sleep', ['600'], { stdio: 'ignore', detached: true })
    onTestFinished(() => void bystander.kill('SIGKILL'))
    const owned = [...scene.lines('provider').map(({ provider }) => provider), ...scene.lines('grandchild').map(({ child }) => child)]
    expect(owned).toHaveLength(3)
    await owner.kill()
    expect(owned.map(isAlive)).toEqual([true, true, true])

    await scene.open()
    // Whoever serves has ended what was left.
    expect(owned.map(isAlive)).toEqual([false, false, false])
    expect(isAlive(bystander.pid)).toBe(true)
    expect(scene.system.stats().epoch).toBe(2)
    const resumed = await scene.line('begin', 'S', 2)
    expect(resumed).toMatchObject({ turn: first.turn, attempt: 1, frame: { step: 1 } })
    expect(resumed.epoch).toBeGreaterThan(first.epoch ?? 0)
    for (const step of [1, 2]) scene.finish('S', step)
    expect(
      await scene.ref.ask.spec(
        { name: 'S', log: scene.log, steps: 3, stays: true, blabs: true, provider: 'ignores' },
        { idempotencyKey: 'S' },
      ),
    ).toEqual({
      outcome: 'ok',
      value: 'S done',
    })
    expect(scene.lines('step', 'S').map(({ step }) => step)).toEqual([0, 1, 2])
    const heard = await scene.until(
      async () => await scene.ref.ask.heard(),
      (seen) => seen.some(({ type }) => type.startsWith('confide.')),
    )
    const told = expect.stringContaining('[secret]') as string // What an asymmetric matcher stands for.
    expect(heard.find(({ type }) => type.startsWith('confide.'))).toMatchObject({
      type: 'confide.done',
      output: { exitCode: 0, stdout: told, stderr: told },
    })

    const digest = createHash('sha256').update(SECRET).digest('hex')
    expect(new Set(scene.lines('provider').map((line) => line.digest))).toEqual(new Set([digest]))
    const blab = scene.lines('foreign', 'S').map((line) => JSON.stringify(line))
    await scene.system.close()
    expectNoSecret(directory)
    expect([...blab, JSON.stringify(readLog(scene.log))].filter((text) => text.includes(SECRET))).toEqual([])
  })
})

/** Reads every file of a system, those of compressed output too. */
function expectNoSecret(directory: string): void {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const contents = files.map((entry) => {
    const path = join(entry.parentPath, entry.name)
    const bytes = readFileSync(path)
    return { path, bytes: path.endsWith('.gz') ? gunzipSync(bytes) : bytes }
  })
  expect(contents.filter(({ bytes }) => bytes.includes(SECRET)).map(({ path }) => path)).toEqual([])
  // Their output is there: what was looked for would have been found.
  expect(contents.filter(({ bytes }) => bytes.includes('The token is [secret].')).length).toBeGreaterThan(0)
  expect(contents.filter(({ path }) => path.includes('shard-0.db')).length).toBeGreaterThan(0)
}

describe('a thread that dies', () => {
  test('K27 a thread of the pool: the provider stays the same, and the turn resumes from its frame', async () => {
    const scene = await sceneOf({ limits: { poolThreads: 1 } })
    const answer = scene.ask('pooled', 'S', { steps: 2, does: 'exits' })
    await scene.line('sent', 'S')
    scene.finish('S', 0)
    await scene.line('begin', 'S', 2)
    scene.finish('S', 1)
    expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
    const [first, second] = scene.lines('begin', 'S')
    expect(second).toMatchObject({ turn: first?.turn, frame: { step: 1 } })
    expect(second?.epoch).toBeGreaterThan(first?.epoch ?? 0)
    expect(second?.thread).not.toBe(first?.thread)
    expect(scene.lines('step', 'S').map(({ step }) => step)).toEqual([0, 1])
    expect(scene.lines('session', 'S')).toMatchObject([
      { isFresh: true },
      { isFresh: false, provider: scene.lines('provider')[0]?.provider },
    ])
    expect(scene.lines('provider')).toHaveLength(1)
  })

  test('K27 G11 the thread of a shard: it is replaced, its provider is ended, and the turn resumes from its frame', async () => {
    const scene = await sceneOf()
    const task = { steps: 3, does: 'strays' } as const
    const asked = scene.ask('spec', 'S', task, { idempotencyKey: 'k' })
    const { provider } = await scene.line('session', 'S')
    await scene.line('sent', 'S')
    scene.finish('S', 0)
    const resumed = await scene.line('begin', 'S', 2)
    const [first] = scene.lines('begin', 'S')
    expect(resumed).toMatchObject({ turn: first?.turn, attempt: 1, frame: { step: 1 } })
    expect(resumed.epoch).toBeGreaterThan(first?.epoch ?? 0)
    expect(resumed.thread).not.toBe(first?.thread)
    expect(await scene.line('session', 'S', 2)).toMatchObject({ isFresh: true })
    expect(isAlive(provider)).toBe(false)
    expect(await scene.system.actor(ledger, 'a').ask.enter({ sender: 's', n: 1 })).toBe(1)
    for (const step of [1, 2]) scene.finish('S', step)
    const outcome = { outcome: 'ok', value: 'S done' }
    expect([outcome, 'SHARD_CRASHED']).toContainEqual(await codeOf(asked))
    expect(await scene.ask('spec', 'S', task, { idempotencyKey: 'k' })).toEqual(outcome)
    expect(scene.lines('step', 'S').map(({ step }) => step)).toEqual([0, 1, 2])
    expect((await scene.heard()).map(({ type }) => type)).toEqual(['spec.started', 'spec.parked', 'spec.resumed', 'spec.done'])
  })
})

describe('a turn or a provider that is silent', () => {
  test('K28 a silent turn is flagged and goes on; nobody restarts it', async () => {
    const scene = await sceneOf()
    const { line, answer } = await scene.running('spec', 'S', { provider: 'silent' })
    const view = await scene.until(
      () => scene.view(line.turn),
      ({ isSilent }) => isSilent,
    )
    expect(view.silentMs).toBeGreaterThanOrEqual(200)
    await scene.until(
      () => scene.view(line.turn),
      ({ silentMs = 0 }) => silentMs > 600,
    )
    expect(await scene.view(line.turn)).toMatchObject({ state: 'running', attempt: 1, isSilent: true })
    scene.finish('S')
    expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
    expect(scene.order).toEqual(['S'])
    expect(scene.lines('signal')).toEqual([])
    expect(await scene.view(line.turn)).toMatchObject({ isSilent: false })
  })

  test('K29 a provider that is idle, and one that streams, is left alone for longer than its threshold', async () => {
    const scene = await sceneOf()
    const idle = scene.beside('idle')
    // Their providers are there before time counts.
    await Promise.all([scene, idle].map((one) => one.ask('spec', 'warm', { isHeld: false })))
    const idling = idle.ask('spec', 'S', { isHeld: false, does: 'waits', noReplyMs: NO_REPLY_MS })
    await idle.line('step', 'S')
    const { answer } = await scene.running('spec', 'S', { noReplyMs: NO_REPLY_MS })
    await scene.passed(2 * NO_REPLY_MS + 100)
    const providers = [scene, idle].map((one) => one.lines('session')[0]?.provider)
    expect(providers.map(isAlive)).toEqual([true, true])
    idle.finish('S', 'waits')
    scene.finish('S')
    expect(await Promise.all([answer, idling])).toMatchObject([{ outcome: 'ok' }, { outcome: 'ok' }])
    for (const one of [scene, idle]) expect(one.order).toEqual(['warm', 'S'])
  })

  test('K29 one that was sent something and is silent for longer is ended, and the turn gets a fresh one; the evicted stretch writes nothing', async () => {
    const scene = await sceneOf()
    await scene.ask('spec', 'warm', { isHeld: false })
    const answer = scene.ask('spec', 'S', { provider: 'silent', noReplyMs: NO_REPLY_MS })
    const { provider } = await scene.line('session', 'S')
    const sent = await scene.line('sent', 'S')
    const again = await scene.line('begin', 'S', 2)
    expect(again.at - sent.at).toBeGreaterThanOrEqual(NO_REPLY_MS - 1)
    expect(again).toMatchObject({ attempt: 2 })
    expect(isAlive(provider)).toBe(false)
    const fresh = await scene.line('session', 'S', 2)
    expect(fresh.isFresh).toBe(true)
    scene.finish('S')
    expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
    expect(isAlive(fresh.provider)).toBe(true)
  })

  test('K29 what an evicted holder still does with its session has no effect on the one after it', async () => {
    const scene = await sceneOf()
    const { answer } = await inSecondStep(scene, 'stubborn', { provider: 'ignores', does: 'haunts' })
    const handler = await scene.running('handler', 'h')
    const { provider } = await scene.line('session', 'h')
    scene.finish('S', 'haunts')
    await scene.line('haunted', 'S')
    expect(scene.lines('haunts', 'S').map((line: Line & { readonly deed?: string }) => line.deed)).toContain('stop')
    expect(isAlive(provider)).toBe(true)
    scene.finish('h')
    expect(await handler.answer).toEqual({ outcome: 'ok', value: 'h done' })
    for (const step of [1, 2]) scene.finish('S', step)
    expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
  })
})

describe('what turns and effects are given', () => {
  test('G7 the functions of a turn can be taken off their context, wherever it runs', async () => {
    const scene = await sceneOf()
    for (const command of ['detaching', 'pooledDetaching', 'distantDetaching'] as const) {
      expect({ command, outcome: await scene.ask(command, 'S') }).toEqual({ command, outcome: { outcome: 'ok', value: 'exited 0' } })
    }
  })

  test('G10 so can those of an effect', async () => {
    const scene = await sceneOf()
    await scene.ref.ask.detach({ log: scene.log })
    const heard = await scene.until(
      async () => (await scene.ref.ask.heard()).find(({ type }) => type.startsWith('apart.')),
      (event) => event !== undefined,
    )
    expect(heard).toMatchObject({ type: 'apart.done', output: 'exited 0' })
  })
})

describe('a handler that never ends', () => {
  test('K30 is ended by its deadline, whether its provider heeds the interrupt or not; actor and caller hear of it, and the worker goes on', async () => {
    const system = await sceneOf()
    await Promise.all(
      (['polite', 'ignores'] as const).map(async (provider) => {
        const scene = system.beside(provider)
        const { answer } = await inSecondStep(scene, 'spec')
        const askedAt = moment()
        const handler = scene.ask('brief', 'asked', { provider })
        expect(await handler).toMatchObject({ outcome: 'timed-out', error: { code: 'TURN_TIMEOUT', command: 'brief' } })
        expect(moment() - askedAt).toBeGreaterThanOrEqual(299)
        expect(await scene.line('begin', 'S', 2)).toMatchObject({ attempt: 1, frame: { step: 1 } })
        // Its provider is there.
        await scene.until(
          () => scene.lines('prompt').map(({ id }) => id),
          (ids) => ids.filter((id = '') => id.startsWith('S/')).length === 3,
        )
        await scene.tell('brief', 'told', { provider })
        expect(await scene.line('begin', 'S', 3)).toMatchObject({ attempt: 1, frame: { step: 1 } })
        for (const step of [1, 2]) scene.finish('S', step)
        expect(await answer).toEqual({ outcome: 'ok', value: 'S done' })
        expect(scene.order).toEqual(['S', 'asked', 'S', 'told', 'S'])
        const failures = (await scene.heard()).filter(({ type }) => type === 'brief.failed')
        expect(failures).toMatchObject([{ outcome: 'timed-out' }, { outcome: 'timed-out' }])
        const stretches = (await scene.ref.turns()).filter(({ command }) => command === 'brief').flatMap(({ history }) => history)
        const isForced = provider === 'ignores'
        expect(stretches.map((stretch) => stretch.isForced ?? false)).toEqual([isForced, isForced])
      }),
    )
    // Whoever told hears of it here.
    const letter = { command: 'brief', error: { code: 'TURN_TIMEOUT' } }
    expect(await system.system.deadLetters.list()).toMatchObject([letter, letter])
  })
})

describe('closing', () => {
  test('G13 close parks a running turn, which resumes from its frame when the system is opened again', async () => {
    const scene = await sceneOf()
    const task = { steps: 3 }
    const asked = scene.ask('spec', 'S', task, { idempotencyKey: 'k' })
    const { provider } = await scene.line('session', 'S')
    scene.finish('S', 0)
    const before = await scene.line('sent', 'S', 2)
    expect(await scene.system.close()).toMatchObject({ outcome: 'polite' })
    expect(await codeOf(asked)).toBe('SYSTEM_CLOSED')
    expect(isAlive(provider)).toBe(false)
    expect(scene.lines('yields', 'S')).toHaveLength(1)
    await scene.open()
    const resumed = await scene.line('begin', 'S', 2)
    expect(resumed).toMatchObject({ turn: before.turn, attempt: 1, frame: { step: 1 } })
    expect(resumed.epoch).toBeGreaterThan(before.epoch ?? 0)
    for (const step of [1, 2]) scene.finish('S', step)
    expect(await scene.ask('spec', 'S', task, { idempotencyKey: 'k' })).toEqual({ outcome: 'ok', value: 'S done' })
    expect(scene.lines('step', 'S').map(({ step }) => step)).toEqual([0, 1, 2])
  })

  test.each([
    ['within its drain deadline', 'stubborn', 10_000],
    ['within its own deadline', 'spec', 500],
  ] as const)(
    'G13 close returns %s with a turn that ignores its signal, which resumes at the next start',
    async (_when, command, timeoutMs) => {
      const scene = await sceneOf()
      const { line } = await inSecondStep(scene, command, { provider: 'ignores' })
      const { provider } = await scene.line('session', 'S')
      const closedAt = moment()
      await scene.system.close({ timeoutMs })
      expect(moment() - closedAt).toBeLessThan(Math.min(timeoutMs, DRAIN_MS + 3_000) + 3_000)
      await scene.open()
      expect(isAlive(provider)).toBe(false)
      expect(await scene.line('begin', 'S', 2)).toMatchObject({ turn: line.turn, attempt: 1, frame: { step: 1 } })
      for (const step of [1, 2]) scene.finish('S', step)
      expect(await scene.becomes(line.turn, 'ended')).toMatchObject({ outcome: { outcome: 'ok', value: 'S done' } })
      expect(scene.lines('step', 'S').map(({ step }) => step)).toEqual([0, 1, 2])
    },
  )

  test('G13 close ends a turn that loops without yielding, on the pool and in the thread of the shard', async () => {
    for (const command of ['spinning', 'watching'] as const) {
      const scene = await sceneOf()
      scene.ask(command, 'loop').catch(() => undefined)
      await scene.line('begin', 'loop')
      const closedAt = moment()
      await scene.system.close({ timeoutMs: 3_000 })
      expect(moment() - closedAt).toBeLessThan(6_000)
    }
  })
})
