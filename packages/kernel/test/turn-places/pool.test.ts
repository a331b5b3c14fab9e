/** What holds for turns on the pool only: its threads, and who waits for one. */
import { readFileSync, mkdtempSync, rmSync, existsSync } from 'node:fs'
import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nodeTurnPlaces } from '../../src/seams/node-turn-places.ts'
import type { TurnPlaces } from '../../src/seams/seams.ts'
import { INTERRUPTION, placeOn, rounds, scene, testFork, until, watchThreads } from './scene.ts'
import type { Scene, ThreadWatch } from './scene.ts'

const fixture = (name: string): URL => new URL(`./fixtures/${name}`, import.meta.url)

describe('turns on the pool', () => {
  let places: TurnPlaces
  let threads: ThreadWatch
  let directory: string

  beforeEach(() => {
    threads = watchThreads()
    places = nodeTurnPlaces({ poolThreads: 1 })
    directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-turns-'))
  })

  afterEach(async () => {
    await places.close()
    expect(threads.running()).toBe(0)
    threads.stop()
    rmSync(directory, { recursive: true })
  })

  const run = async (command: string, { context, kill }: Scene = scene()): Promise<unknown> =>
    await places.run(placeOn('pool', command), context, kill.signal, testFork().fork)

  const failure = async (command: string, on?: Scene): Promise<unknown> =>
    await run(command, on).then(
      () => 'It did not fail.',
      (error: unknown) => error,
    )

  test('start no thread before the first of them', async () => {
    await rounds(10)
    expect(threads.started()).toBe(0)
    await run('nothing')
    expect(threads.started()).toBe(1)
  })

  test('in a loop that never looks: 100 ms after the kill the thread is gone, and the next turn runs', async () => {
    const here = scene()
    const turn = failure('forever', here)
    await here.begun
    expect(threads.running()).toBe(1)
    here.kill.abort(new Error('ended by force'))
    await until(() => threads.running() === 0, 100)
    expect(await turn).toMatchObject({ message: 'ended by force' })
    expect(await run('describe')).toMatchObject({ turnsOnThisThread: 1 })
  })

  test('that wait behind one that is killed run afterwards, in their order', async () => {
    const hung = scene()
    const first = failure('forever', hung)
    await hung.begun
    const order: number[] = []
    const waiting = [1, 2, 3].map(async (number) => {
      await run('nothing')
      order.push(number)
    })
    await rounds(20)
    expect(order).toEqual([])
    hung.kill.abort(new Error('ended by force'))
    await first
    await Promise.all(waiting)
    expect(order).toEqual([1, 2, 3])
  })

  test('that wait are not held up by one that loses its thread', async () => {
    const lost = failure('exits', scene({ input: 0 }))
    const waiting = run('nothing')
    expect(await lost).toMatchObject({ code: 'PROCESS_LOST' })
    expect(await waiting).toBeUndefined()
  })

  test('that wait and are interrupted end at once, without having run', async () => {
    const hung = scene()
    const first = failure('forever', hung)
    await hung.begun
    const here = scene()
    const waiting = failure('progressInOrder', here)
    await rounds(20)
    here.aborter.abort(INTERRUPTION)
    expect(await waiting).toBe(INTERRUPTION)
    hung.kill.abort(new Error('ended by force'))
    await first
    await run('nothing')
    expect(here.progress).toEqual([])
  })

  test('that wait and are killed end at once, without having run', async () => {
    const hung = scene()
    const first = failure('forever', hung)
    await hung.begun
    const here = scene()
    const waiting = failure('progressInOrder', here)
    await rounds(20)
    here.kill.abort(new Error('not wanted'))
    expect(await waiting).toMatchObject({ message: 'not wanted' })
    hung.kill.abort(new Error('ended by force'))
    await first
    await run('nothing')
    expect(here.progress).toEqual([])
  })

  test('that are interrupted while their thread starts end at once, and the next one runs', async () => {
    const here = scene()
    const turn = failure('progressInOrder', here)
    await until(() => threads.started() === 1)
    here.aborter.abort(INTERRUPTION)
    expect(await turn).toBe(INTERRUPTION)
    expect(await run('nothing')).toBeUndefined()
    expect(here.progress).toEqual([])
  })

  test('one after the other on the same thread leave nothing to each other', async () => {
    const trace = path.join(directory, 'trace')
    const first = scene()
    const interrupted = run('untilInterrupted', first)
    await first.begun
    first.aborter.abort(INTERRUPTION)
    await interrupted
    const second = scene({ input: trace })
    const threadId = await run('leavesThingsBehind', second)
    const third = scene()
    expect(await run('interruptedAtBeginning', third)).toEqual({ isInterrupted: false, isAborted: false, threadId })
    // What the second did late was refused there, and has not reached anybody.
    await until(() => existsSync(trace) && readFileSync(trace, 'utf8') === 'STALE_EPOCH')
    expect([first.frames, second.frames, second.progress, third.frames, third.progress]).toEqual([[], [], [], [], []])
  })

  test('whose thread dies once they are over concern nobody', async () => {
    expect(await run('throwsAfterwards')).toBeUndefined()
    await until(() => threads.running() === 0)
    expect(await run('nothing')).toBeUndefined()
  })

  test('that are killed just before the places are closed are gone when those are', async () => {
    const here = scene()
    const turn = failure('forever', here)
    await here.begun
    here.kill.abort(new Error('ended by force'))
    await turn
    await places.close()
    expect(threads.running()).toBe(0)
  })

  test('run at the same time on as many threads as there may be, and on no more', async () => {
    const two = nodeTurnPlaces({ poolThreads: 2 })
    const scenes = [scene(), scene(), scene()]
    const turns = scenes.map(
      async ({ context, kill }) => await two.run(placeOn('pool', 'untilInterrupted'), context, kill.signal, testFork().fork),
    )
    await Promise.all([scenes[0]?.begun, scenes[1]?.begun])
    await rounds(50)
    expect(scenes[2]?.progress).toEqual([])
    scenes[0]?.aborter.abort(INTERRUPTION)
    await scenes[2]?.begun
    for (const { aborter } of scenes) aborter.abort(INTERRUPTION)
    await Promise.all(turns)
    expect(threads.started()).toBe(2)
    await two.close()
  })

  test('that eat all memory lose their thread, and nothing else', async () => {
    const small = nodeTurnPlaces({ poolThreads: 1, poolHeapMb: 24 })
    const { context, kill } = scene()
    await expect(small.run(placeOn('pool', 'eatsMemory'), context, kill.signal, testFork().fork)).rejects.toMatchObject({
      code: 'PROCESS_LOST',
      retryable: true,
      reason: expect.stringContaining('memory') as unknown,
    })
    const next = scene()
    expect(await small.run(placeOn('pool', 'nothing'), next.context, next.kill.signal, testFork().fork)).toBeUndefined()
    await small.close()
  })

  test('can be asked for in a worker thread, as a shard does', async () => {
    const shard = new Worker(fixture('shard.ts'))
    const value = await new Promise((resolve, reject) => {
      shard.once('message', resolve)
      shard.once('error', reject)
    })
    expect(value).toBe('done')
    await new Promise((resolve) => shard.once('exit', resolve))
  })

  test('leave a process that ends by itself once they are closed', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(fixture('program.ts'))], { timeout: 8_000 })
    expect(stdout).toBe('closed\n')
  })
})
