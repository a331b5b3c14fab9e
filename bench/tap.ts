/**
 * Goal: what it costs that somebody reads the tap, against the same system with nobody reading.
 * Non-goals: what the reader does with the events; here it counts them.
 */
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import { account } from './actors.ts'
import { callers, compare, requireSum } from './measure.ts'
import type { Finding } from './measure.ts'
import type { Plan } from './plan.ts'

const ACTORS = 1_000

/** Durable asks with a reader of the tap; the floor is the same system a moment before, without one. */
export async function tapReader(plan: Plan, count: number): Promise<Finding> {
  const total = plan.scale(100_000)
  const system = await openSystem({ directory: join(plan.place(), 'data'), actors: [account] })
  const refs = Array.from({ length: ACTORS }, (_none, index) => system.actor(account, `a${index}`))
  let sent = 0
  let told = 0
  let isRead = false
  const run = async (): Promise<number> => {
    sent += total
    const end = isRead ? system.tap(() => (told += 1)) : undefined
    // Whoever is answered now finds the tap open.
    await refs[0]?.ask.balance()
    const perSecond = await callers(count, total, (caller, nth) => {
      return refs[(caller + nth) % ACTORS]?.ask.deposit({ amount: 1 }) ?? Promise.reject(new Error('no ref'))
    })
    end?.()
    return perSecond
  }
  try {
    const finding = await compare(
      {
        name: `durable asks with a reader of the tap, ${count} callers`,
        unit: '/s',
        sync: 'full',
        runs: plan.runs,
        note: 'the floor is the same without a reader',
      },
      () => {
        isRead = true
        return run()
      },
      () => {
        isRead = false
        return run()
      },
    )
    const balances = await Promise.all(refs.map((ref) => ref.ask.balance()))
    requireSum(
      finding.name,
      balances.reduce((sum, balance) => sum + balance, 0),
      sent,
    )
    if (told < total) throw new Error(`${finding.name}: only ${told} events were told.`)
    return finding
  } finally {
    await system.close()
  }
}
