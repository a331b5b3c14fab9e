/**
 * Goals: how many asks a second a system answers, against a bare loop doing the same work.
 * Non-goals: the cost of a user's own logic; what happens on another kind of disk.
 */
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import { account, purse, tally } from './actors.ts'
import { Floor } from './floor/floor.ts'
import { callers, compare, requireSum } from './measure.ts'
import type { Finding } from './measure.ts'
import type { Plan } from './plan.ts'

const ACTORS = 1_000

/** Asks of a machine, durable or in memory, by number of callers. */
export async function asks(plan: Plan, count: number, kind: 'durable' | 'keyed' | 'volatile'): Promise<Finding> {
  const isDurable = kind !== 'volatile'
  const definition = isDurable ? account : purse
  const total = plan.scale(count === 1 ? 3_000 : kind === 'keyed' ? 100_000 : 200_000)
  const place = plan.place()
  const system = await openSystem({ directory: join(place, 'data'), actors: [account, purse] })
  const refs = Array.from({ length: ACTORS }, (_none, index) => system.actor(definition, `a${index}`))
  const floor = new Floor(isDurable ? join(place, 'floor.db') : undefined, ACTORS)
  let sent = 0
  let key = 0
  try {
    const finding = await compare(
      { name: `${kind} asks, ${count} callers`, unit: '/s', sync: isDurable ? 'full' : 'none', runs: plan.runs },
      async () => {
        sent += total
        return await callers(count, total, (caller, nth) => {
          const options = kind === 'keyed' ? { idempotencyKey: `k${(key += 1)}` } : undefined
          return refs[(caller + nth) % ACTORS]?.ask.deposit({ amount: 1 }, options) ?? Promise.reject(new Error('no ref'))
        })
      },
      () => callers(count, total, (caller, nth) => floor.ask((caller + nth) % ACTORS, 1)),
    )
    const balances = await Promise.all(refs.map((ref) => ref.ask.balance()))
    requireSum(
      finding.name,
      balances.reduce((sum, balance) => sum + balance, 0),
      sent,
    )
    return finding
  } finally {
    await floor.close()
    await system.close()
  }
}

/** Tells to a reducer in memory; every tell has an answer of its own, the floor has one for all. */
export async function tells(plan: Plan): Promise<Finding> {
  const total = plan.scale(200_000)
  const system = await openSystem({ directory: join(plan.place(), 'data'), actors: [tally] })
  const ref = system.actor(tally, 'one')
  const floor = new Floor(undefined, 0)
  let sent = 0
  try {
    const finding = await compare(
      { name: 'volatile tells to fromTransition', unit: '/s', sync: 'none', runs: plan.runs, note: 'the floor answers once for all' },
      async () => {
        sent += total
        const startedAt = performance.now()
        const pending: Promise<unknown>[] = []
        for (let each = 0; each < total; each += 1) pending.push(ref.tell.add({ amount: 1 }))
        await Promise.all(pending)
        return (total / (performance.now() - startedAt)) * 1_000
      },
      async () => {
        const startedAt = performance.now()
        await floor.tellMany(total)
        return (total / (performance.now() - startedAt)) * 1_000
      },
    )
    requireSum(finding.name, await ref.ask.total(), sent)
    return finding
  } finally {
    await floor.close()
    await system.close()
  }
}
