/** Goals: messages between actors, effects, timers and a backlog, each beside the rows that it needs at the least. */
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import type { System } from '@bailiwick/kernel'
import { noop, sink, source } from './delivery.actors.ts'
import { messages, queued } from './floor/delivery.ts'
import { compare, requireSum } from './measure.ts'
import type { Finding } from './measure.ts'
import type { Plan } from './plan.ts'

const SPRAY = 500

async function open(directory: string, shards = 1): Promise<System> {
  return await openSystem({ directory: join(directory, 'data'), actors: [sink, source], effects: [noop], shards })
}

/** Waits until something has come to the number that it must come to; a number that it does not reach in time is an error. */
async function reach(name: string, wanted: number, read: () => Promise<number>): Promise<void> {
  const deadline = performance.now() + 600_000
  for (let found = await read(); found < wanted; found = await read()) {
    if (performance.now() > deadline) throw new Error(`${name}: ${found} of ${wanted} after ten minutes.`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** Tells from actor to actor: on one shard, where they never touch the disk, or to the other of two. */
export async function tellsBetween(plan: Plan, shards: 1 | 2): Promise<Finding> {
  const directory = plan.place()
  const count = plan.scale(200_000)
  const system = await open(directory, shards)
  // On two shards only receivers of the other shard count, so each message crosses. Where an actor lives is told by what its shard sends.
  const target = system.actor(sink, shards === 1 ? 'a' : 'c')
  const from = system.actor(source, 'x')
  let sent = 0
  try {
    return await compare(
      {
        name: shards === 1 ? 'tells between actors of one shard' : 'tells between actors of two shards',
        unit: '/s',
        sync: 'full',
        runs: plan.runs,
        note: shards === 1 ? 'floor: transitions, one snapshot per batch' : 'floor: the same, through a table',
      },
      async () => {
        sent += count
        const startedAt = performance.now()
        await Promise.all(
          Array.from({ length: Math.ceil(count / SPRAY) }, (_none, nth) =>
            from.tell.spray({ to: [String(target.key)], each: Math.min(SPRAY, count - nth * SPRAY) }),
          ),
        )
        await reach('tells', sent, () => target.ask.now())
        const perSecond = (count / (performance.now() - startedAt)) * 1_000
        requireSum('tells between actors', await target.ask.sum(), sent)
        return perSecond
      },
      () => Promise.resolve(messages(directory, count, shards === 1 ? 0 : 1)),
    )
  } finally {
    await system.close()
  }
}

/** Effects that do nothing, from the command that promises them until their actor has heard of the last. */
export async function effects(plan: Plan): Promise<Finding> {
  const directory = plan.place()
  const count = plan.scale(50_000)
  const system = await open(directory)
  const ref = system.actor(source, 'x')
  let posted = 0
  try {
    return await compare(
      { name: 'effects drained', unit: '/s', sync: 'full', runs: plan.runs, note: 'floor: insert, claim, delete, a transition each' },
      async () => {
        posted += count
        const startedAt = performance.now()
        await Promise.all(
          Array.from({ length: Math.ceil(count / SPRAY) }, (_none, nth) => ref.tell.post({ count: Math.min(SPRAY, count - nth * SPRAY) })),
        )
        await reach('effects', posted, async () => (await ref.ask.tally()).done)
        return (count / (performance.now() - startedAt)) * 1_000
      },
      () => Promise.resolve(queued(directory, count, 1)),
    )
  } finally {
    await system.close()
  }
}

/** Timers over a thousand actors, set, and rung a moment later. */
export async function timers(plan: Plan, timerCount: number): Promise<Finding> {
  const directory = plan.place()
  const actors = 1_000
  const each = Math.max(1, Math.floor(plan.scale(timerCount) / actors))
  const count = each * actors
  const system = await open(directory)
  const refs = Array.from({ length: actors }, (_none, index) => system.actor(source, `a${index}`))
  let rung = 0
  try {
    return await compare(
      {
        name: `timers set and fired, ${count.toLocaleString('en')} at a time`,
        unit: '/s',
        sync: 'full',
        runs: timerCount > 100_000 ? 1 : plan.runs,
        note: 'floor: insert, find, delete, a transition each',
      },
      async () => {
        rung += count
        const startedAt = performance.now()
        await Promise.all(refs.map((ref) => ref.tell.arm({ timers: each, delayMs: 1 })))
        await reach('timers', rung, async () => {
          const tallies = await Promise.all(refs.map((ref) => ref.ask.tally()))
          return tallies.reduce((sum, { rang }) => sum + rang, 0)
        })
        return (count / (performance.now() - startedAt)) * 1_000
      },
      () => Promise.resolve(queued(directory, count, 0)),
    )
  } finally {
    await system.close()
  }
}

/** A backlog: accepted while its actor cannot take it, recovered by the next owner, and drained. */
export async function backlog(plan: Plan, commandCount: number): Promise<readonly Finding[]> {
  const count = plan.scale(commandCount)
  const directory = plan.place()
  const finding = (name: string, value: number, unit: string, floor: number | undefined, note: string): Finding => ({
    name: `backlog of ${count.toLocaleString('en')}: ${name}`,
    value,
    unit,
    floor,
    ratio: floor === undefined ? undefined : value / floor,
    spread: [value, value],
    runs: 1,
    sync: 'full',
    note,
  })
  const floor = queued(directory, count, 0)
  const first = await open(directory)
  await first.actor(sink, 'a').ask.shut()
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: count }, () => first.actor(sink, 'a').tell.take({ n: 1 }, { timeoutMs: 600_000 })))
  const acceptMs = performance.now() - startedAt
  await first.close({ timeoutMs: 60_000 })
  const openedAt = performance.now()
  const second = await open(directory)
  await second.actor(sink, 'b').ask.now()
  const recoverMs = performance.now() - openedAt
  const drainedAt = performance.now()
  const ref = second.actor(sink, 'a')
  await ref.ask.open({}, { timeoutMs: 600_000 })
  requireSum('backlog', await ref.ask.sum({}, { timeoutMs: 600_000 }), count)
  const drainMs = performance.now() - drainedAt
  await second.close({ timeoutMs: 60_000 })
  return [
    finding('accepted', (count / acceptMs) * 1_000, '/s', floor, 'floor: insert, find, delete, a transition each'),
    finding('first reply of the next owner', recoverMs, 'ms', undefined, 'reads every waiting command'),
    finding('drained', (count / drainMs) * 1_000, '/s', floor, 'the same floor'),
  ]
}
