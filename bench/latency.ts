/**
 * Goals: how long one ask takes when nothing else happens, and an urgent one when very much waits.
 * The floor of the first is one fsynced row plus one round trip between threads; of the second the round trip alone.
 */
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import { account } from './actors.ts'
import { Floor } from './floor/floor.ts'
import { median, quantile } from './measure.ts'
import type { Finding } from './measure.ts'
import type { Plan } from './plan.ts'

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

/** One durable ask at a time, interleaved with the bare loop's. */
export async function oneAsk(plan: Plan): Promise<Finding> {
  const place = plan.place()
  const system = await openSystem({ directory: join(place, 'data'), actors: [account] })
  const ref = system.actor(account, 'one')
  const floor = new Floor(join(place, 'floor.db'), 1)
  const ours: number[] = []
  const bare: number[] = []
  try {
    for (let each = 0; each < plan.scale(4_000) + 100; each += 1) {
      const floorMs = await timed(() => floor.ask(0, 1))
      const oursMs = await timed(() => ref.ask.deposit({ amount: 1 }))
      if (each < 100) continue
      bare.push(floorMs)
      ours.push(oursMs)
    }
  } finally {
    await floor.close()
    await system.close()
  }
  const ratios = ours.map((ms, index) => ms / (bare[index] ?? 1))
  return {
    name: 'one durable ask at a time, p50',
    value: median(ours),
    unit: 'ms',
    floor: median(bare),
    ratio: median(ours) / median(bare),
    spread: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
    runs: ours.length,
    sync: 'full',
    note: 'spread: middle half of the pairs',
  }
}

/** Urgent asks while a backlog of normal ones waits. */
export async function urgentBehindBacklog(plan: Plan): Promise<readonly Finding[]> {
  const backlog = plan.scale(100_000)
  const place = plan.place()
  const system = await openSystem({ directory: join(place, 'data'), actors: [account] })
  const floor = new Floor(undefined, 1)
  const refs = Array.from({ length: 1_000 }, (_none, index) => system.actor(account, `a${index}`))
  const wakeUps: number[] = []
  const urgent: number[] = []
  try {
    for (let each = 0; each < 300; each += 1) wakeUps.push(await timed(() => floor.ask(0, 0)))
    for (let run = 0; run < plan.runs; run += 1) {
      const waiting = Array.from({ length: backlog }, (_none, index) => refs[index % 1_000]?.ask.deposit({ amount: 1 }))
      await new Promise((resolve) => setImmediate(resolve))
      do urgent.push(await timed(() => refs[7]?.ask.deposit({ amount: 1 }, { priority: 'urgent' }) ?? Promise.resolve()))
      while (system.stats().lanes.normal.depth > backlog / 10)
      await Promise.all(waiting)
    }
  } finally {
    await floor.close()
    await system.close()
  }
  return [0.5, 0.99].map((part) => ({
    name: `urgent ask behind ${backlog.toLocaleString('en')} waiting, p${part * 100}`,
    value: quantile(urgent, part),
    unit: 'ms',
    floor: quantile(wakeUps, part),
    ratio: quantile(urgent, part) / quantile(wakeUps, part),
    spread: [Math.min(...urgent), Math.max(...urgent)],
    runs: urgent.length,
    sync: 'full',
    note: 'floor: a bare thread round trip; spread in ms',
  }))
}
