/** Several workers of one service, in the three ways in which they can be set up. */
// oxlint-disable-next-line bailiwick/no-raw-imports -- this shows what becomes of processes that were started by hand.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import { actors } from './components.actor.ts'
import { workerOf } from './worker.ts'
import type { Worker } from './worker.ts'

/** How many workers a crew has. */
export const CREW = 4

/** What an isolated worker is sent. */
export interface Call {
  readonly id: number
  readonly name: keyof Worker
  readonly input: unknown
}

type Answer = { readonly id: number } & ({ readonly value?: unknown } | { readonly failure: string })

/** Workers that were set up together. */
export interface Crew extends AsyncDisposable {
  readonly workers: readonly Worker[]
}

/** Callers of one system: each has facades of its own, the actors live on so many shard threads. */
export async function sharedCrew(directory: string, callers: number, shards: number): Promise<Crew> {
  const system = await openSystem({ directory, actors, shards })
  const own = Array.from({ length: callers }, () => workerOf(system))
  // Where there are fewer callers than workers, they take turns.
  const workers = Array.from({ length: CREW }, (_, index) => own[index % callers] ?? workerOf(system))
  return { workers, [Symbol.asyncDispose]: async () => void (await system.close()) }
}

/** Processes, each with a system of its own in `directory` and a number: what they share is the secret. */
export async function isolatedCrew(directory: string): Promise<Crew> {
  const started = await Promise.all(Array.from({ length: CREW }, (_, index) => isolatedWorker(`${directory}-${index}`)))
  return {
    workers: started.map(({ worker }) => worker),
    [Symbol.asyncDispose]: async () => void (await Promise.all(started.map(({ end }) => end()))),
  }
}

async function isolatedWorker(directory: string): Promise<{ readonly worker: Worker; readonly end: () => Promise<void> }> {
  const child = fork(join(import.meta.dirname, 'isolated.ts'), [directory])
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  const ready = Promise.withResolvers<unknown>()
  waiting.set(0, ready)
  child.on('message', (answer: Answer) => {
    const call = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ('failure' in answer) call?.reject(new Error(answer.failure))
    else call?.resolve(answer.value)
  })
  child.once('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`A worker has ended with ${code}.`))
  })
  await ready.promise
  let calls = 0
  const ask = (name: keyof Worker, input: unknown): Promise<unknown> => {
    const call = Promise.withResolvers<unknown>()
    calls += 1
    waiting.set(calls, call)
    child.send({ id: calls, name, input } satisfies Call)
    return call.promise
  }
  // Every property of a worker is a method with one input, which is what this answers; no promise, so it has no `then`.
  const worker = new Proxy(
    {},
    { get: (_, name) => (name === 'then' ? undefined : (input: unknown) => ask(name as keyof Worker, input)) },
  ) as Worker
  return {
    worker,
    end: async () => {
      const exited = once(child, 'exit')
      child.disconnect()
      await exited
    },
  }
}
