/**
 * Goals: how fast an urgent command reaches a turn that is running, takes its session, and gives it back; with nothing else
 * to do, and while very much waits and is being drained. The floor is the bare wake-up of a thread.
 */
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import type { RefOf } from '@bailiwick/kernel'
import { account } from './actors.ts'
import { now } from './floor/now.ts'
import { wakeUps } from './floor/wake.ts'
import { quantile } from './measure.ts'
import type { Finding } from './measure.ts'
import type { Plan } from './plan.ts'
import { session } from './preemption.actors.ts'

const ACTORS = 1_000

/** What the steals of one situation took, in milliseconds. */
interface Times {
  readonly signal: number[]
  readonly handOver: number[]
  readonly resume: number[]
}

/** Steals the session from a running turn and waits until that has gone on. */
class Thief {
  readonly times: Times = { signal: [], handOver: [], resume: [] }
  readonly #ref: RefOf<typeof session>
  #ready = Promise.withResolvers<undefined>()

  constructor(ref: RefOf<typeof session>) {
    this.#ref = ref
  }

  /** Starts the worker. */
  async begin(): Promise<void> {
    const work = this.#ref.ask.work({}, { onProgress: () => this.#ready.resolve(undefined) })
    // The worker never ends; closing the system ends the ask.
    work.catch(() => undefined)
    await this.#ready.promise
  }

  async steal(): Promise<void> {
    this.#ready = Promise.withResolvers<undefined>()
    const calledAt = now()
    const result = await this.#ref.ask.respond()
    if (result.outcome !== 'ok') throw new Error(`A handler ended as ${result.outcome}.`)
    const { signalAt, startedAt, resumeMs } = result.value
    this.times.signal.push(signalAt - calledAt)
    this.times.handOver.push(startedAt - signalAt)
    if (this.times.signal.length > 1) this.times.resume.push(resumeMs)
    await this.#ready.promise
  }
}

/** Preemption with nothing else to do, and behind a backlog. */
export async function preemption(plan: Plan): Promise<readonly Finding[]> {
  const backlog = plan.scale(1_000_000)
  const floor = await wakeUps(plan.scale(2_000) + 50)
  const system = await openSystem({
    directory: join(plan.place(), 'data'),
    actors: [account, session],
    limits: { waitingCommands: backlog * 2, pendingCalls: backlog * 2 },
  })
  try {
    const ref = system.actor(session, 'one')
    const idle = new Thief(ref)
    await idle.begin()
    for (let each = 0; each < plan.scale(2_000) + 50; each += 1) await idle.steal()
    const busy = new Thief(system.actor(session, 'two'))
    await busy.begin()
    const refs = Array.from({ length: ACTORS }, (_none, index) => system.actor(account, `a${index}`))
    for (let run = 0; run < plan.runs; run += 1) {
      const waiting = Array.from({ length: backlog }, (_none, index) =>
        refs[index % ACTORS]?.ask.deposit({ amount: 1 }, { timeoutMs: 600_000 }),
      )
      await new Promise((resolve) => setImmediate(resolve))
      do await busy.steal()
      while (system.stats().lanes.normal.depth > backlog / 10)
      await Promise.all(waiting)
    }
    return [
      ...findings('nothing else to do', idle.times, floor, 50),
      ...findings(`${backlog.toLocaleString('en')} commands waiting`, busy.times, floor, 0),
    ]
  } finally {
    await system.close()
  }
}

function findings(where: string, times: Times, floor: readonly number[], warmUp: number): readonly Finding[] {
  const parts: readonly (readonly [name: string, values: readonly number[]])[] = [
    ['call → signal', times.signal],
    ['signal → the handler runs', times.handOver],
    ['handler ended → the worker runs again', times.resume],
  ]
  return parts.flatMap(([name, all]) => {
    const values = all.slice(warmUp)
    return [0.5, 0.99].map((part) => ({
      name: `${name}, ${where}, p${part * 100}`,
      value: quantile(values, part),
      unit: 'ms',
      floor: quantile(floor, part),
      ratio: quantile(values, part) / quantile(floor, part),
      spread: [Math.min(...values), Math.max(...values)] as const,
      runs: values.length,
      sync: 'full' as const,
      note: 'floor: one way from thread to thread; spread in ms',
    }))
  })
}
