/** What the tests of turn places share: contexts, places, a fork made of `node:child_process`, and a look at threads. */
import { fork } from 'node:child_process'
import type { Worker } from 'node:worker_threads'
import type { ProcessApi, ProcessResult } from '../../src/definition/process.ts'
import type { AnyTurnContext, Interruption } from '../../src/definition/turn-context.ts'
import type { Fork, TurnPlace } from '../../src/seams/seams.ts'

const TURNS = new URL('./fixtures/turns.ts', import.meta.url).href

export const INTERRUPTION: Interruption = { mode: 'steal', by: { command: 'urgent', turn: 9 } }

export function placeOn(on: TurnPlace['on'], command: string, module = TURNS): TurnPlace {
  return { on, module, type: 'worker', command }
}

/** A context of the shard, which writes down what it is asked for. */
export interface Scene {
  readonly context: AnyTurnContext
  readonly aborter: AbortController
  readonly kill: AbortController
  readonly progress: unknown[]
  readonly frames: unknown[]
  /** Resolves when the turn has told of progress for the first time. */
  readonly begun: Promise<unknown>
}

export function scene(changes: Partial<AnyTurnContext> = {}): Scene {
  const aborter = new AbortController()
  const kill = new AbortController()
  const progress: unknown[] = []
  const frames: unknown[] = []
  const { promise: begun, resolve } = Promise.withResolvers<undefined>()
  const context: AnyTurnContext = {
    input: undefined,
    frame: undefined,
    turn: 7,
    attempt: 1,
    epoch: 41,
    key: 'one',
    signal: aborter.signal,
    interrupted: () => aborter.signal.aborted,
    checkpoint: async (frame) => {
      frames.push(frame)
    },
    progress: (value) => {
      progress.push(value)
      resolve(undefined)
    },
    process: noProcesses,
    ...changes,
  }
  return { context, aborter, kill, progress, frames, begun }
}

const noProcesses: ProcessApi = {
  run: async () => await Promise.reject(new Error('no processes here')),
  spawn: async () => await Promise.reject(new Error('no processes here')),
  session: async () => await Promise.reject(new Error('no processes here')),
}

export function resultOf(changes: Partial<ProcessResult> = {}): ProcessResult {
  const stream = { text: '', bytes: 0, droppedBytes: 0, isTruncated: false, files: [] }
  return { reason: 'exited', exitCode: 0, signal: null, pid: 1, stdout: stream, stderr: stream, durationMs: 1, ...changes }
}

/** Processes that a test has forked. */
export interface ForkedChildren {
  readonly fork: Fork
  readonly pids: number[]
  /** What they have printed, all together. */
  readonly output: () => string
  /** Resolves when every process so far is gone. */
  readonly gone: () => Promise<void>
}

/** A fork without logs and notes: a leader of a group of its own, ended as a group. */
export function testFork(): ForkedChildren {
  const pids: number[] = []
  const ends: Promise<ProcessResult>[] = []
  let output = ''
  const print = (text: string): void => {
    output += text
  }
  const start: Fork = async (module, onMessage) => {
    const child = fork(module, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true, execArgv: [] })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    const pid = child.pid ?? 0
    pids.push(pid)
    child.on('message', onMessage)
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', print)
    }
    const exited = new Promise<ProcessResult>((resolve) => {
      child.once('close', (exitCode, signal) =>
        resolve(resultOf({ pid, exitCode, signal, reason: signal === null ? 'exited' : 'signaled' })),
      )
    })
    ends.push(exited)
    const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<ProcessResult> => {
      try {
        process.kill(-pid, signal)
      } catch {
        // Nobody is left.
      }
      return await exited
    }
    return {
      pid,
      post: (message) => {
        if (child.connected) child.send(message as object, () => undefined)
      },
      exited,
      stop: async () => await end('SIGTERM'),
      kill: async () => await end('SIGKILL'),
    }
  }
  return {
    fork: start,
    pids,
    output: () => output,
    gone: async () => {
      await Promise.all(ends)
    },
  }
}

/** The threads that this thread starts from now on. */
export interface ThreadWatch {
  readonly started: () => number
  readonly running: () => number
  readonly stop: () => void
}

export function watchThreads(): ThreadWatch {
  let started = 0
  let running = 0
  const see = (thread: Worker): void => {
    started += 1
    running += 1
    thread.once('exit', () => {
      running -= 1
    })
  }
  process.on('worker', see)
  return { started: () => started, running: () => running, stop: () => process.off('worker', see) }
}

/** Waits until something holds, looking again after every round of the event loop; fails after the deadline. */
export async function until(holds: () => boolean, deadlineMs = 5_000): Promise<void> {
  const end = performance.now() + deadlineMs
  while (!holds()) {
    if (performance.now() > end) throw new Error(`It did not come to hold within ${deadlineMs} ms.`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Rounds of the event loop of this thread. */
export async function rounds(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await new Promise((resolve) => setImmediate(resolve))
}
