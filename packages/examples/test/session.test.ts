/** The provider session of the coordinator, on real threads and with a real child process, which misbehaves in every way it can. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import type { RefOf, System, TurnView } from '@bailiwick/kernel'
import { describe, expect, onTestFinished, test } from 'vitest'
import { readExamples } from '../coordinator/payloads.ts'
import { postReply } from '../coordinator/post-reply.effect.ts'
import type { ProviderOptions } from '../coordinator/provider-session.ts'
import { sceneLog } from '../coordinator/scene-log.actor.ts'
import { Sent } from '../coordinator/session-director.ts'
import { isSound, playScene } from '../coordinator/session-scene.ts'
import { sceneText } from '../coordinator/session-text.ts'
import type { Work } from '../coordinator/session-turn.ts'
import { session } from '../coordinator/session.actor.ts'
import { careless } from './fixtures/careless.actor.ts'

const TOKEN = 'token-4711-of-these-tests'

/** Slow enough that also on a busy machine a step is not over before the comment that is to interrupt it arrives. */
const UNHURRIED = { chunkMs: 20 }

interface Stage {
  readonly system: System
  readonly directory: string
  readonly ref: RefOf<typeof session>
  readonly implement: (provider?: ProviderOptions) => Sent
  readonly respond: (provider?: ProviderOptions) => Sent
  readonly fixChecks: () => Sent
  readonly addressThread: () => Sent
  readonly replan: () => Sent
  readonly replies: () => readonly string[]
}

async function stage(): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), 'bailiwick-session-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }))
  process.env['COORDINATOR_PROVIDER_TOKEN'] = TOKEN
  const system = await openSystem({ directory, actors: [session, sceneLog, careless], effects: [postReply] })
  onTestFinished(() => system.close().then(() => undefined))
  const ref = system.actor(session, '186853002')
  const postTo = join(directory, 'replies.jsonl')
  let deliveries = 0
  const assigned = (provider: ProviderOptions | undefined): { delivery: string; provider: ProviderOptions } => {
    deliveries += 1
    return { delivery: `delivery-${deliveries}`, provider: { chunkMs: 8, ...provider } }
  }
  return {
    system,
    directory,
    ref,
    implement: (provider) =>
      new Sent('implement', (onProgress) => ref.ask.implement({ ...assigned(provider), title: 'Update the README' }, { onProgress })),
    respond: (provider) =>
      new Sent('respond', (onProgress) =>
        ref.ask.respond({ ...assigned(provider), comment: { id: 1, author: 'Codertocat', body: 'More emoji.' }, postTo }, { onProgress }),
      ),
    fixChecks: () => new Sent('fixChecks', (onProgress) => ref.ask.fixChecks({ ...assigned(undefined), check: 'linter' }, { onProgress })),
    addressThread: () =>
      new Sent('addressThread', (onProgress) => ref.ask.addressThread({ ...assigned(undefined), reviewer: 'Codertocat' }, { onProgress })),
    replan: () => new Sent('replan', (onProgress) => ref.ask.replan({ ...assigned(undefined), ref: 'refs/heads/main' }, { onProgress })),
    replies: () => readFileSync(postTo, 'utf8').trim().split('\n'),
  }
}

/** What a turn has come to, which must be something. */
async function workOf({ answer }: Sent): Promise<Work> {
  const ending = await answer
  if (ending.outcome !== 'ok' || ending.value === undefined) throw new Error(`It is ${JSON.stringify(ending)}.`)
  return ending.value
}

async function turnOf(ref: RefOf<typeof session>, command: string): Promise<TurnView> {
  const view = (await ref.turns()).find((turn) => turn.command === command)
  if (view === undefined) throw new Error(`There is no turn ${command}.`)
  return view
}

/** The steps with which its stretches have begun. */
function stepsOf({ seen }: Sent): readonly number[] {
  return seen.flatMap((one) => (one.kind === 'begun' ? [one.step] : []))
}

/** Milliseconds from its call until it ran. */
function begunAfter({ seen, calledAt }: Sent): number {
  const begun = seen.find((one) => one.kind === 'begun')
  return begun?.kind === 'begun' ? begun.at - calledAt : Number.POSITIVE_INFINITY
}

describe('a session', () => {
  test('K01, K02 a review comment steals it, the task goes on with the step in hand, and the provider is the same process', async () => {
    const { system, ref, implement, respond, replies } = await stage()
    const task = implement(UNHURRIED)
    await task.streaming(2)
    const comment = respond()
    const [done, reply] = [await workOf(task), await workOf(comment)]
    expect(begunAfter(comment)).toBeLessThan(1_000)
    expect(system.stats().turns).toMatchObject({ preemptions: 1, forced: 0 })
    expect((await turnOf(ref, 'respond')).history).toMatchObject([{ epoch: 2, attempt: 1, outcome: 'ok' }])
    expect((await turnOf(ref, 'implement')).history).toMatchObject([
      { epoch: 1, attempt: 1, outcome: 'cancelled', mode: 'steal', by: { command: 'respond' } },
      { epoch: 3, attempt: 1, outcome: 'ok' },
    ])
    expect(stepsOf(task)).toEqual([1, 2])
    expect(done.answers).toHaveLength(4)
    expect(done.answers[1]).toBe('This is what I have to say about it: Write the tests: Update the README. So be it.')
    expect(done.providers).toEqual(reply.providers)
    expect(done.providers).toHaveLength(1)
    expect(await ref.lateResults()).toEqual([])
    await expect.poll(async () => (await ref.ask.overview()).heard['post-reply.done']).toBe(1)
    expect(replies()).toHaveLength(1)
  })

  test('K10, K16 a failed check aborts a review thread, which has aborted a planned task; each starts again from its first step', async () => {
    const { ref, implement, addressThread, fixChecks } = await stage()
    const task = implement()
    await task.streaming(2)
    const thread = addressThread()
    await thread.streaming(2)
    const check = fixChecks()
    await Promise.all([workOf(task), workOf(thread), workOf(check)])
    const aborted = (command: string) => ({ attempt: 1, outcome: 'cancelled', mode: 'abort-keep', by: { command } })
    expect((await turnOf(ref, 'implement')).history).toMatchObject([aborted('addressThread'), { attempt: 2, outcome: 'ok' }])
    expect((await turnOf(ref, 'addressThread')).history).toMatchObject([aborted('fixChecks'), { attempt: 2, outcome: 'ok' }])
    expect((await turnOf(ref, 'fixChecks')).history).toMatchObject([{ attempt: 1, outcome: 'ok' }])
    expect([stepsOf(task), stepsOf(thread)]).toEqual([
      [1, 1],
      [1, 1],
    ])
    const { tasks } = await ref.ask.overview()
    const inOrder = tasks.toSorted((one, other) => one.epoch - other.epoch).map(({ command }) => command)
    expect(inOrder).toEqual(['fixChecks', 'addressThread', 'implement'])
    expect(tasks.map(({ command, state, attempt }) => `${command} ${state} ${attempt}`)).toEqual([
      'implement done 2',
      'addressThread done 2',
      'fixChecks done 1',
    ])
  })

  test('K06 nobody interrupts what looks after the plan; the comment is answered next', async () => {
    const { system, ref, replan, respond } = await stage()
    const plan = replan()
    await plan.streaming(1)
    const comment = respond()
    await Promise.all([workOf(plan), workOf(comment)])
    expect(system.stats().turns.preemptions).toBe(0)
    expect((await turnOf(ref, 'replan')).epoch).toBeLessThan((await turnOf(ref, 'respond')).epoch)
  })

  test('K11 a dropped task is over for good, with its reason, and the next one has the same provider', async () => {
    const { ref, implement, respond } = await stage()
    const task = implement()
    await task.streaming(2)
    await ref.ask.drop({ reason: 'it was merged' })
    expect(await task.answer).toMatchObject({ outcome: 'cancelled', mode: 'abort-drop', by: { command: 'drop' } })
    expect(await ref.ask.overview()).toMatchObject({ tasks: [{ command: 'implement', state: 'dropped' }], lastDrop: 'it was merged' })
    const provider = task.seen.find((one) => one.kind === 'provider')
    expect((await workOf(respond())).providers).toMatchObject([{ id: provider?.kind === 'provider' ? provider.id : undefined }])
  })

  test('shows nobody its token: no file of the system holds it', async () => {
    const { system, directory, implement, respond } = await stage()
    const task = implement({ misbehaviours: ['prints garbage'] })
    await task.streaming(1)
    await Promise.all([workOf(respond()), workOf(task)])
    await system.close()
    const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name))
    expect(files.some((file) => file.includes('log'))).toBe(true)
    const holding = files.filter((file) => statSync(file).isFile() && readFileSync(file).includes(TOKEN))
    expect(holding).toEqual([])
  })
})

describe('a provider that', () => {
  test('K07, K08 ignores its interrupt is killed after the drain deadline; the task is cancelled all the same and goes on with a fresh one', async () => {
    const { system, ref, implement, respond } = await stage()
    const task = implement({ ...UNHURRIED, misbehaviours: ['ignores interrupts'], politeFor: 1 })
    await task.streaming(2)
    const comment = respond()
    const [done, reply] = [await workOf(task), await workOf(comment)]
    expect(begunAfter(comment)).toBeGreaterThanOrEqual(1_000)
    expect(begunAfter(comment)).toBeLessThan(3_000)
    expect(system.stats().turns.forced).toBe(1)
    expect((await turnOf(ref, 'implement')).history).toMatchObject([
      { epoch: 1, outcome: 'cancelled', mode: 'steal', isForced: true },
      { epoch: 3, outcome: 'ok' },
    ])
    expect(stepsOf(task)).toEqual([1, 2])
    expect(done.providers).toHaveLength(2)
    expect(done.providers[1]).toEqual(reply.providers[0])
    // The checkpoint on its way out came too late.
    expect(await ref.lateResults()).toMatchObject([{ epoch: 1, what: 'checkpoint' }])
  })

  test('finishes although it was told to stop has its answer kept, and the step is not done again', async () => {
    const { system, implement, respond } = await stage()
    const task = implement({ ...UNHURRIED, misbehaviours: ['finishes all the same'] })
    await task.streaming(2)
    const comment = respond()
    await Promise.all([workOf(task), workOf(comment)])
    expect(system.stats().turns.forced).toBe(0)
    expect(stepsOf(task)).toEqual([1, 3])
  })

  test('K08 finishes the last step although it was told to stop: the result counts as late, and is returned when the task resumes', async () => {
    const { ref, implement, respond } = await stage()
    const task = implement({ ...UNHURRIED, misbehaviours: ['finishes all the same'] })
    await task.streaming(4)
    const comment = respond()
    expect((await workOf(task)).answers).toHaveLength(4)
    await workOf(comment)
    expect(stepsOf(task)).toEqual([1, 5])
    expect(await ref.lateResults()).toMatchObject([{ epoch: 1, what: 'result' }])
  })

  test('sends a result after its interrupt was acknowledged is understood: the next prompt drops it by its id', async () => {
    const { implement, respond } = await stage()
    const task = implement({ ...UNHURRIED, misbehaviours: ['sends its result late'] })
    await task.streaming(2)
    const comment = respond()
    const reply = await workOf(comment)
    expect(reply.dropped.foreign).toBe(1)
    expect(reply.answers[1]).toContain('Write a reply to: More emoji.')
    expect(stepsOf(task)).toEqual([1])
    expect((await workOf(task)).answers).toHaveLength(4)
  })

  test('K21 crashes in the middle is replaced once, and the caller sees a normal result', async () => {
    const { ref, implement } = await stage()
    const task = implement({ misbehaviours: ['crashes once'] })
    expect((await workOf(task)).answers).toHaveLength(4)
    expect((await turnOf(ref, 'implement')).history).toMatchObject([
      { attempt: 1, outcome: 'failed' },
      { attempt: 2, outcome: 'ok' },
    ])
  })

  test('K21 crashes again and again makes the task fail, with what has happened', async () => {
    const { ref, implement } = await stage()
    expect(await implement({ misbehaviours: ['crashes'] }).answer).toMatchObject({
      outcome: 'failed',
      error: { code: 'PROCESS_LOST', reason: 'it exited with code 1' },
    })
    expect((await ref.ask.overview()).tasks).toMatchObject([{ state: 'failed', attempt: 2 }])
  })

  test('K20 crashes while it stops does not make the prompt come back: the task is cancelled, and goes on with a fresh one', async () => {
    const { ref, implement, respond } = await stage()
    const task = implement({ ...UNHURRIED, misbehaviours: ['crashes when interrupted'] })
    await task.streaming(2)
    const [reply, done] = [await workOf(respond()), await workOf(task)]
    expect((await turnOf(ref, 'implement')).history).toMatchObject([
      { epoch: 1, outcome: 'cancelled', mode: 'steal' },
      { epoch: 3, attempt: 1, outcome: 'ok' },
    ])
    expect(stepsOf(task)).toEqual([1, 2])
    expect(done.providers.at(-1)).toEqual(reply.providers[0])
  })

  test('answers nothing is ended by its watchdog, twice, and the task fails', async () => {
    const { implement } = await stage()
    const task = implement({ misbehaviours: ['answers nothing'], noReplyMs: 300 })
    expect(await task.answer).toMatchObject({ outcome: 'failed', error: { code: 'PROCESS_LOST' } })
    expect(stepsOf(task)).toEqual([1, 1])
  })

  test('answers nothing is killed when a comment needs the session', async () => {
    const { system, implement, respond } = await stage()
    const task = implement({ misbehaviours: ['answers nothing'], politeFor: 1 })
    await expect.poll(() => task.seen.some((one) => one.kind === 'saved')).toBe(true)
    await workOf(respond())
    expect(system.stats().turns.forced).toBe(1)
    expect((await workOf(task)).answers).toHaveLength(4)
  })

  test('answers with an empty text completes nothing', async () => {
    const { ref, respond, directory } = await stage()
    expect(await respond({ misbehaviours: ['answers with an empty text'] }).answer).toEqual({ outcome: 'empty' })
    expect((await ref.ask.overview()).tasks).toMatchObject([{ state: 'failed', isPosted: false }])
    expect(readdirSync(directory)).not.toContain('replies.jsonl')
  })

  test('floods its output holds nobody up, and its answer is found at the end', async () => {
    const { ref, respond } = await stage()
    const { answers } = await workOf(respond({ misbehaviours: ['floods'] }))
    expect(answers).toHaveLength(2)
    expect(await turnOf(ref, 'respond')).toMatchObject({ attempt: 1 })
  })

  test('prints garbage between its lines is understood all the same', async () => {
    const { respond } = await stage()
    const { answers, dropped } = await workOf(respond({ misbehaviours: ['prints garbage'], chunks: 3 }))
    expect(answers[1]).toBe('This is what I have to say about it: Write a reply to: More emoji.. So be it.')
    // Two prompts of three chunks, with four lines of garbage each.
    expect(dropped).toEqual({ garbage: 24, foreign: 0 })
  })

  test('exits late is gone when the system is closed', async () => {
    const { system, respond } = await stage()
    const { providers } = await workOf(respond({ misbehaviours: ['exits late'], exitAfterMs: 400 }))
    const pid = providers[0]?.pid ?? 0
    expect(isRunning(pid)).toBe(true)
    const startedAt = performance.now()
    await system.close()
    expect(performance.now() - startedAt).toBeGreaterThan(350)
    expect(isRunning(pid)).toBe(false)
  })

  test('is still busy with what a careless turn has left behind is interrupted first, and then asked', async () => {
    const { system } = await stage()
    const ref = system.actor(careless, 'one')
    const left = await ref.ask.leave()
    const asked = await ref.ask.ask()
    if (left.outcome !== 'ok' || asked.outcome !== 'ok') throw new Error(`They are ${JSON.stringify([left, asked])}.`)
    expect(asked.value).toMatchObject({ outcome: 'answered', pid: left.value.pid, text: expect.stringContaining('are you free') as string })
    expect(asked.value.foreign).toBeGreaterThan(0)
  })
})

describe('the scene of the demo', () => {
  test('K01, K02, K03, K07, K10, K16 comes out as it has to', { timeout: 30_000 }, async () => {
    const { system, directory } = await stage()
    const scene = await playScene(system, { examples: readExamples(), directory, onBegin: () => undefined })
    const text = sceneText(scene)
    expect(isSound(scene), text).toBe(true)
    expect(scene, text).toMatchObject({ scene: 1, isContinued: false, polite: { lateResults: 0 }, deaf: { lateResults: 1 } })
    expect(scene.polite.pids, text).toHaveLength(1)
    expect(scene.deaf.pids, text).toHaveLength(2)
    expect(scene.polite.handOvers.length, text).toBeGreaterThan(0)
    for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100)
  })
})

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
