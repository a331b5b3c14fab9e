/**
 * The program of the soak: the mixed load of the crash tests at a moderate, fixed rate, in one process. After each tenth of
 * its time it stops sending, lets everything come to its end, compacts, measures, and prints a line of JSON.
 *
 * Needs `--expose-gc`.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pass } from 'node:timers/promises'
import { openSystem } from '@bailiwick/kernel'
import type { System } from '@bailiwick/kernel'
import { gauge } from './fixtures/gauge.actor.ts'
import { randomFrom } from './random.ts'
import { DEFINITIONS, readAll, SHARDS, waitingIn, work } from './workload.ts'

const [root = '', url = '', durationText = ''] = process.argv.slice(2)

/** What a tenth of the soak has come to. */
export interface Sample {
  readonly tenth: number
  readonly acknowledged: number
  /** Milliseconds from sending to acknowledgement, of single asks. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** Bytes, after a collection. */
  readonly heap: number
  /** Of that, the thread that calls. */
  readonly callerHeap: number
  readonly rss: number
  /** Bytes on disk, after compaction where the system has it. */
  readonly files: number
  readonly isCompacted: boolean
  readonly complaints: readonly string[]
}

const TENTHS = 10
/** How often each sender sends: every so many milliseconds, over all senders about a thousand commands a second. */
const EVERY_MS = 100
/** Gauges enough that every shard has at least one. */
const GAUGES = 16

const directory = join(root, 'data')
const tenthMs = Number(durationText) / TENTHS
const system = await openSystem({
  directory,
  actors: [...DEFINITIONS.actors, gauge],
  effects: DEFINITIONS.effects,
  shards: SHARDS,
  // What is kept for a day would grow for a day: here it is full after a few seconds.
  limits: { idempotencyRecords: 500, lateResults: 100, deadLetters: 100 },
})

let acknowledged = 0
let complaints: string[] = []
let delays: number[] = []
let isPaused = false
const paused: (() => void)[] = []
const sentAt = new Map<string, number>()

void work({
  system,
  url,
  log: '/dev/null',
  root,
  random: randomFrom(1),
  last: () => 0,
  acknowledge: (sender) => {
    acknowledged += 1
    const at = sentAt.get(sender)
    if (at !== undefined) delays.push(performance.now() - at)
  },
  complain: (text) => complaints.push(text),
  pace: async (sender) => {
    sentAt.delete(sender)
    await pass(EVERY_MS)
    if (isPaused) await new Promise<void>((resolve) => paused.push(resolve))
    if (sender.startsWith('ask/')) sentAt.set(sender, performance.now())
  },
  isClosing: () => false,
})

for (let tenth = 0; tenth < TENTHS; tenth += 1) {
  await pass(tenthMs)
  isPaused = true
  await quiet()
  const isCompacted = await compact(system)
  console.log(JSON.stringify(await sample(tenth, isCompacted)))
  acknowledged = 0
  complaints = []
  delays = []
  isPaused = false
  for (const resume of paused.splice(0)) resume()
}
await system.close()
process.exit(0)

/** Waits until nothing is under way but what repeats. */
async function quiet(): Promise<void> {
  const deadline = performance.now() + 30_000
  const isBusy = async (): Promise<boolean> => {
    const { outbox, awaitingReply, effects, turns, pendingCalls } = system.stats()
    // What was promised and withdrawn only later stays in the outbox.
    return (
      effects.running + turns.running + awaitingReply + pendingCalls + waitingIn(system) > 0 ||
      outbox > 2 ||
      (await readAll(system)).pending > 0
    )
  }
  while (await isBusy()) {
    if (performance.now() > deadline) {
      complaints.push(`it did not come to rest: ${JSON.stringify(system.stats())}`)
      return
    }
    await pass(10)
  }
}

async function sample(tenth: number, isCompacted: boolean): Promise<Sample> {
  const heaps = await Promise.all(Array.from({ length: GAUGES }, async (_none, index) => await system.actor(gauge, `g${index}`).ask.heap()))
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  delays.sort((one, other) => one - other)
  return {
    tenth: tenth + 1,
    acknowledged,
    p50Ms: delays[Math.floor(delays.length * 0.5)] ?? 0,
    p99Ms: delays[Math.floor(delays.length * 0.99)] ?? 0,
    heap: heapUsed + heaps.reduce((total, heap) => total + heap, 0) / GAUGES,
    callerHeap: heapUsed,
    rss,
    files: readdirSync(directory).reduce((total, file) => total + statSync(join(directory, file)).size, 0),
    isCompacted,
    complaints: complaints.slice(0, 10),
  }
}

/** Gives free space back, where the system can. */
async function compact(open: System): Promise<boolean> {
  if (!('compact' in open) || typeof open.compact !== 'function') return false
  await open.compact()
  return true
}
