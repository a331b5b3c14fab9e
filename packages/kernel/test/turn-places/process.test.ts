/** What holds for turns in processes of their own only. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ProcessResult } from '../../src/definition/process.ts'
import { nodeTurnPlaces } from '../../src/seams/node-turn-places.ts'
import type { Fork, TurnPlaces } from '../../src/seams/seams.ts'
import { INTERRUPTION, placeOn, resultOf, rounds, scene, testFork, until } from './scene.ts'
import type { ForkedChildren, Scene } from './scene.ts'

describe('turns in processes', () => {
  let places: TurnPlaces
  let children: ForkedChildren

  beforeEach(() => {
    places = nodeTurnPlaces({ poolThreads: 1 })
    children = testFork()
  })

  afterEach(async () => {
    await places.close()
    await children.gone()
  })

  const run = async (command: string, { context, kill }: Scene = scene(), fork: Fork = children.fork): Promise<unknown> =>
    await places.run(placeOn('process', command), context, kill.signal, fork)

  const failure = async (command: string, on?: Scene, fork?: Fork): Promise<unknown> =>
    await run(command, on, fork).then(
      () => 'It did not fail.',
      (error: unknown) => error,
    )

  const isAlive = (pid: number): boolean => {
    try {
      process.kill(pid, 0)
      return true
    } catch {
      return false
    }
  }

  test('may print what they like: it disturbs nothing, and all of it comes out', async () => {
    const here = scene()
    expect(await run('prints', here)).toBe('the value')
    expect(here.progress).toEqual(Array.from({ length: 50 }, (_, index) => index))
    await children.gone()
    expect(children.output()).toContain('a complaint')
    expect(children.output().match(/printed \d+/g)).toEqual(Array.from({ length: 50 }, (_, index) => `printed ${index}`))
    expect(children.output().match(/last words \d+/g)).toEqual(Array.from({ length: 2_000 }, (_, index) => `last words ${index}`))
  })

  test('in a loop that never looks: 100 ms after the kill the process is gone', async () => {
    const here = scene()
    const turn = failure('forever', here)
    await here.begun
    const pid = here.progress[0] as number
    expect(children.pids).toEqual([pid])
    here.kill.abort(new Error('ended by force'))
    await until(() => !isAlive(pid), 100)
    expect(await turn).toMatchObject({ message: 'ended by force' })
  })

  test('leave no process behind when they are over', async () => {
    await run('nothing')
    await failure('throwsTyped')
    await failure('exits', scene({ input: 1 }))
    await children.gone()
    expect(children.pids.map(isAlive)).toEqual([false, false, false])
  })

  test('whose process is ended from outside are lost, and it is said how', async () => {
    const here = scene()
    const turn = failure('forever', here)
    await here.begun
    process.kill(here.progress[0] as number, 'SIGKILL')
    expect(await turn).toMatchObject({ code: 'PROCESS_LOST', reason: 'it was ended by SIGKILL' })
  })

  test('whose process cannot be started are lost, and it is said why', async () => {
    const fork: Fork = async () => await Promise.reject(new Error('no more processes'))
    expect(await failure('nothing', scene(), fork)).toMatchObject({ code: 'PROCESS_LOST', reason: 'no more processes' })
  })

  test('that are interrupted while their process starts end at once, and the process with them', async () => {
    const here = scene()
    const { promise: started, resolve: start } = Promise.withResolvers<undefined>()
    const turn = failure('progressInOrder', here, async (module, onMessage) => {
      const child = await children.fork(module, onMessage)
      await started
      return child
    })
    here.aborter.abort(INTERRUPTION)
    expect(await turn).toBe(INTERRUPTION)
    start(undefined)
    await places.close()
    expect(children.pids.map(isAlive)).toEqual([false])
    expect(here.progress).toEqual([])
  })

  test('that are killed while their process starts end at once, and the process with them', async () => {
    const here = scene()
    const { promise: started, resolve: start } = Promise.withResolvers<undefined>()
    const turn = failure('progressInOrder', here, async (module, onMessage) => {
      const child = await children.fork(module, onMessage)
      await started
      return child
    })
    here.kill.abort(new Error('not wanted'))
    expect(await turn).toMatchObject({ message: 'not wanted' })
    start(undefined)
    await places.close()
    expect(children.pids.map(isAlive)).toEqual([false])
  })

  test('have no effect after they were ended, whatever they still say', async () => {
    const here = scene()
    const { promise: exited, resolve: exit } = Promise.withResolvers<ProcessResult>()
    let say: (message: unknown) => void = () => undefined
    const posted: unknown[] = []
    const fork: Fork = async (_module, onMessage) => {
      say = onMessage
      const kill = async (): Promise<ProcessResult> => {
        exit(resultOf())
        return await exited
      }
      return { pid: 1, exited, post: (message) => posted.push(message), stop: kill, kill }
    }
    const turn = failure('nothing', here, fork)
    await until(() => posted.length === 1)
    say({ tag: 'progress', value: '"early"' })
    here.kill.abort(new Error('ended by force'))
    expect(await turn).toMatchObject({ message: 'ended by force' })
    say({ tag: 'progress', value: '"late"' })
    say({ tag: 'ask', id: 1, call: { tag: 'checkpoint', frame: '"late"' } })
    say({ tag: 'returned', value: '"late"' })
    here.aborter.abort(INTERRUPTION)
    await rounds(5)
    expect(here.progress).toEqual(['early'])
    expect(here.frames).toEqual([])
    expect(posted).toMatchObject([{ tag: 'start' }])
  })
})
