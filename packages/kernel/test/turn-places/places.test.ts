/** What holds for a turn wherever it runs outside of the shard's thread. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ProcessSpec, SpawnedProcess } from '../../src/definition/process.ts'
import type { AnyTurnContext } from '../../src/definition/turn-context.ts'
import { InvalidInput, ProcessLost, StaleEpoch } from '../../src/errors.ts'
import { nodeTurnPlaces } from '../../src/seams/node-turn-places.ts'
import type { TurnPlaces } from '../../src/seams/seams.ts'
import { INTERRUPTION, placeOn, resultOf, rounds, scene, testFork, until } from './scene.ts'
import type { ForkedChildren, Scene } from './scene.ts'

describe.each(['pool', 'process'] as const)('a turn on %s', (on) => {
  let places: TurnPlaces
  let children: ForkedChildren
  let directory: string

  beforeEach(() => {
    places = nodeTurnPlaces({ poolThreads: 1 })
    children = testFork()
    directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-turns-'))
  })

  afterEach(async () => {
    await places.close()
    await children.gone()
    rmSync(directory, { recursive: true })
  })

  const run = async (command: string, { context, kill }: Scene = scene(), module?: string): Promise<unknown> =>
    await places.run(placeOn(on, command, module), context, kill.signal, children.fork)

  const failure = async (command: string, on?: Scene, module?: string): Promise<unknown> => {
    try {
      await run(command, on, module)
    } catch (error) {
      return error
    }
    throw new Error('It did not fail.')
  }

  test('gets the whole context, and its value comes back', async () => {
    const here = scene({ input: { items: [1, { deep: null }] }, frame: { at: 3 }, attempt: 2, key: ['a', 'b'] })
    const value = await run('describe', here)
    expect(value).toMatchObject({
      input: { items: [1, { deep: null }] },
      frame: { at: 3 },
      turn: 7,
      attempt: 2,
      epoch: 41,
      key: ['a', 'b'],
    })
    expect(value).not.toMatchObject({ threadId: 0 })
    expect(await run('nothing')).toBeUndefined()
  })

  test('that looks at interrupted() in a loop without a pause ends, and the shard goes on meanwhile', async () => {
    const here = scene()
    const turn = run('untilInterrupted', here)
    await here.begun
    await rounds(1_000)
    expect(here.progress).toEqual(['looping'])
    here.aborter.abort(INTERRUPTION)
    expect(await turn).toEqual({ isSignalAborted: false })
  })

  test('gets the reason of its interruption with its signal', async () => {
    const here = scene()
    const turn = run('reasonOfAbort', here)
    await here.begun
    here.aborter.abort(INTERRUPTION)
    expect(await turn).toEqual({ reason: INTERRUPTION, isInterrupted: true })
  })

  test('that throws the reason of its signal rejects with that very reason', async () => {
    const here = scene()
    const turn = failure('untilAborted', here)
    await here.begun
    here.aborter.abort(INTERRUPTION)
    expect(await turn).toBe(INTERRUPTION)
  })

  test('that was interrupted before it is asked for does not run', async () => {
    const here = scene()
    here.aborter.abort(INTERRUPTION)
    expect(await failure('progressInOrder', here)).toBe(INTERRUPTION)
    expect(here.progress).toEqual([])
  })

  test('waits for each checkpoint, and gets the error of one that is refused', async () => {
    const frames: unknown[] = []
    const here = scene({
      input: [{ step: 1 }, 'stale', { step: 3 }],
      checkpoint: async (frame) => {
        await rounds(3)
        if (frame === 'stale') throw new StaleEpoch('checkpoint of worker/one', 41, 42)
        frames.push(frame)
      },
    })
    expect(await run('checkpoints', here)).toEqual(['durable', { code: 'STALE_EPOCH', epoch: 41, current: 42 }, 'durable'])
    expect(frames).toEqual([{ step: 1 }, { step: 3 }])
  })

  test('tells of its progress in order, all of it before its value', async () => {
    const here = scene()
    expect(await run('progressInOrder', here)).toBe('done')
    expect(here.progress).toEqual(Array.from({ length: 300 }, (_, index) => ({ index })))
  })

  test('that tells of more progress than the shard can take loses the oldest, and never piles up', async () => {
    const done = path.join(directory, 'done')
    const seen: unknown[] = []
    const here = scene({
      input: done,
      progress: (value) => {
        seen.push(value)
        // The shard is busy until the turn has said everything.
        if (value === 'ready') while (!existsSync(done));
      },
    })
    expect(await run('progressFlood', here)).toBe('done')
    expect(seen.length).toBeLessThanOrEqual(2_000)
    expect(seen.at(-1)).toBe(19_999)
    const numbers = seen.slice(1) as number[]
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
  })

  test('fails with the error that it threw: class, code, fields and cause', async () => {
    const typed = await failure('throwsTyped')
    expect(typed).toBeInstanceOf(InvalidInput)
    expect(typed).toMatchObject({ code: 'INVALID_INPUT', field: 'items.3', operation: 'worker.throwsTyped' })
    const lost = await failure('throwsLost')
    expect(lost).toBeInstanceOf(ProcessLost)
    expect(lost).toMatchObject({ what: 'compiler', retryable: true })
    expect(await failure('throwsOther')).toMatchObject({ name: 'ENOENT', message: 'no such file', cause: { message: 'the disk' } })
    expect(await failure('throwsOther')).not.toHaveProperty('retryable')
    expect(await failure('throwsRetryable')).toMatchObject({ message: 'busy', retryable: true })
  })

  test('fails if its value cannot be carried, and says where it is', async () => {
    expect(await failure('returnsFunction')).toMatchObject({ code: 'NOT_SERIALIZABLE', actor: 'worker/one', field: 'the result.list.1' })
    expect(await failure('returnsMap')).toMatchObject({ code: 'NOT_SERIALIZABLE', field: 'the result' })
  })

  test('fails if its definition is not found', async () => {
    expect(await failure('unheard')).toMatchObject({ code: 'UNKNOWN_COMMAND', command: 'unheard' })
    expect(await failure('nothing', scene(), 'file:///nowhere/module.ts')).toMatchObject({ code: 'DEFINITION_NOT_LOADED' })
  })

  test('that ends the process under its feet is lost, and can be tried again', async () => {
    const error = await failure('exits', scene({ input: 3 }))
    expect(error).toBeInstanceOf(ProcessLost)
    expect(error).toMatchObject({ retryable: true, reason: 'it exited with code 3' })
    expect(await run('nothing')).toBeUndefined()
  })

  test('whose code throws where nobody catches is lost, and the error is told', async () => {
    expect(await failure('throwsLater')).toMatchObject({ code: 'PROCESS_LOST', reason: 'nobody catches this' })
    expect(await run('nothing')).toBeUndefined()
  })

  test('that never ends rejects as soon as it is killed, with the reason of the kill', async () => {
    const here = scene()
    const turn = failure('forever', here)
    await here.begun
    const reason = new Error('ended by force')
    const killedAt = performance.now()
    here.kill.abort(reason)
    expect(await turn).toBe(reason)
    expect(performance.now() - killedAt).toBeLessThan(100)
    expect(await run('nothing')).toBeUndefined()
  })

  test('that was killed before it is asked for does not run', async () => {
    const here = scene()
    here.kill.abort(new Error('too late'))
    expect(await failure('nothing', here)).toMatchObject({ message: 'too late' })
  })

  test('that hangs does not keep close from returning', async () => {
    const here = scene()
    const turn = failure('forever', here)
    await here.begun
    await places.close()
    expect(await turn).toMatchObject({ code: 'PROCESS_LOST' })
    expect(await failure('nothing')).toMatchObject({ code: 'PROCESS_LOST' })
  })

  describe('and its processes', () => {
    /** A process that says what it is told to, and remembers what was done to it. */
    const fake = (changes: Partial<SpawnedProcess>): SpawnedProcess => ({
      pid: 4_711,
      send: async () => undefined,
      end: () => undefined,
      async *lines() {
        yield* []
      },
      exited: new Promise(() => undefined),
      stop: async () => resultOf(),
      ...changes,
    })
    const withProcesses = (process: Partial<AnyTurnContext['process']>): Scene =>
      scene({ process: { ...scene().context.process, ...process } })

    test('runs one and gets its result', async () => {
      const specs: ProcessSpec[] = []
      const here = withProcesses({
        run: async (spec) => {
          specs.push(spec)
          return resultOf({ exitCode: 2 })
        },
      })
      expect(await run('runsProcess', here)).toEqual(resultOf({ exitCode: 2 }))
      expect(specs).toEqual([{ command: 'build', args: ['all'], secrets: { token: 'secret' } }])
    })

    test('spawns one: what it prints, what it is told, and its end', async () => {
      const { promise: exited, resolve: exit } = Promise.withResolvers<ReturnType<typeof resultOf>>()
      const done: unknown[] = []
      const printed = { stdout: ['one', 'two', 'three', 'four'], stderr: [] as string[] }
      const process = fake({
        // Only what is printed from now on, and it is printed at once: whoever follows later gets nothing.
        async *lines(stream = 'stdout') {
          yield* printed[stream].splice(0)
          await new Promise(() => undefined)
        },
        send: async (value) => {
          done.push(value)
          printed.stderr.push('an answer')
        },
        end: () => done.push('end'),
        exited,
        stop: async () => {
          exit(resultOf({ reason: 'stopped' }))
          return await exited
        },
      })
      const here = withProcesses({ spawn: async () => process })
      expect(await run('spawnsProcess', here)).toEqual({
        pid: 4_711,
        read: ['one', 'two', 'three'],
        answer: { done: false, value: 'an answer' },
        stopped: resultOf({ reason: 'stopped' }),
        exited: resultOf({ reason: 'stopped' }),
      })
      expect(done).toEqual([{ question: 1 }, 'end'])
    })

    test('loses no line that is printed between the start and the call of lines', async () => {
      let isFollowed = false
      const follows: string[] = []
      const here = withProcesses({
        spawn: async () =>
          fake({
            lines: (stream = 'stdout') => {
              follows.push(stream)
              const isFirst = stream === 'stdout' && !isFollowed
              isFollowed ||= stream === 'stdout'
              return (async function* () {
                if (isFirst) for (let index = 1; index <= 1_000; index += 1) yield `line ${index}`
              })()
            },
          }),
      })
      expect(await run('readsToTheEnd', here)).toEqual({ count: 1_000, last: 'line 1000' })
      // One of each at the start, and that one was used.
      expect(follows).toEqual(['stdout', 'stderr'])
    })

    test('reads no faster than the turn does', async () => {
      let pulled = 0
      let isLeft = false
      const here = withProcesses({
        spawn: async () =>
          fake({
            async *lines(stream = 'stdout') {
              try {
                for (;;) {
                  if (stream === 'stdout') pulled += 1
                  yield `line ${pulled}`
                }
              } finally {
                isLeft ||= stream === 'stdout'
              }
            },
          }),
      })
      const turn = run('readsSlowly', here)
      await here.begun
      await rounds(200)
      expect(pulled).toBeLessThanOrEqual(100)
      here.aborter.abort(INTERRUPTION)
      expect(await turn).toEqual(Array.from({ length: 201 }, (_, index) => `line ${index + 1}`))
      await until(() => isLeft)
    })

    test('gets its session', async () => {
      const asked: unknown[] = []
      const here = withProcesses({
        session: async (name, spec) => {
          asked.push(name, spec)
          return { ...fake({}), id: 'session-1', isFresh: true }
        },
      })
      expect(await run('usesSession', here)).toEqual({ id: 'session-1', isFresh: true, pid: 4_711 })
      expect(asked).toEqual(['repl', { command: 'node', idleMs: 5 }])
    })

    test('gets the typed error of one that cannot be started', async () => {
      const here = withProcesses({ spawn: async () => await Promise.reject(new ProcessLost('missing', 'there is no such program')) })
      expect(await failure('failsToSpawn', here)).toMatchObject({ code: 'PROCESS_LOST', what: 'missing' })
    })

    test('may be over before an answer comes, which is dropped', async () => {
      const { promise, resolve } = Promise.withResolvers<ReturnType<typeof resultOf>>()
      const here = withProcesses({ run: async () => await promise })
      expect(await run('asksLate', here)).toBe('over')
      resolve(resultOf())
      expect(await run('nothing')).toBeUndefined()
    })
  })
})
