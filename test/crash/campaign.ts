/** A campaign: one directory, one receiver, and life after life that is killed, until there have been enough kills. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pass } from 'node:timers/promises'
import type { CloseReport } from '@bailiwick/kernel'
import type { Account } from './fixtures/account.ts'
import { endProcessesOf, Life, STAGES, takeNotes } from './lives.ts'
import type { Ended, Orders, Stage } from './lives.ts'
import { Acknowledged } from './model.ts'
import { randomFrom } from './random.ts'

/** What a campaign has come to. */
export interface Campaign {
  readonly seed: number
  readonly root: string
  readonly lives: number
  /** Kills, by the last thing that was heard of the life that they ended. */
  readonly struck: Readonly<Record<Stage, number>>
  readonly acknowledged: Acknowledged
  readonly ended: Ended
  /** How the last life closed. */
  readonly closed: CloseReport
  readonly durationMs: number
}

/**
 * When a life ends: so long after it began to open; after its first acknowledgement; after it began to close; or at once when it
 * hears of one acknowledgement, which is the worst moment for one that came too early.
 */
type Aim = 'opening' | 'working' | 'closing' | 'acknowledged'

/** Shares of the aims; what is left is for `working`. */
const SHARES: readonly (readonly [aim: Aim, share: number])[] = [
  ['opening', 0.15],
  ['closing', 0.15],
  ['acknowledged', 0.2],
]
/** An opening takes about so long, on a machine that has other things to do. */
const OPENING_MS = 500
const CLOSING_MS = 60
const WORKING_MS_MIN = 50
const WORKING_MS_MAX = 600
const ACKNOWLEDGED_MAX = 100
/** So many lives have two threads for their shards, the others one: a thread takes long to start. */
const TWO_THREADS_SHARE = 0.3

/** Runs a campaign. Rejects as soon as something is wrong that is seen at a start or in a life; its folder is then left as it is. */
export async function campaignOf(kills: number, seed: number): Promise<Campaign> {
  const root = mkdtempSync(join(tmpdir(), 'bailiwick-crash-'))
  const receiver = await startReceiver(root)
  const lives = new Lives(root, receiver.url, seed)
  try {
    return await lives.run(kills)
  } catch (error) {
    endProcessesOf(root)
    throw new Error(`seed ${seed}, in ${root}`, { cause: error })
  } finally {
    await lives.end()
    receiver.end()
  }
}

/** Starts the receiver of effects, which notes what it sees in `received`. */
export async function startReceiver(root: string): Promise<{ readonly url: string; end(): void }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'receiver.ts'), join(root, 'received')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [url]: readonly unknown[] = await once(createInterface({ input: child.stdout }), 'line')
  return { url: String(url), end: () => void child.kill('SIGKILL') }
}

/** One life after the other. The next is loaded while the present one works. */
class Lives {
  readonly #root: string
  readonly #url: string
  readonly #seed: number
  readonly #random: () => number
  readonly #acknowledged = new Acknowledged()
  readonly #struck = Object.fromEntries(STAGES.map((stage) => [stage, 0])) as Record<Stage, number> // All of them.
  #next: Life
  #count = 0

  constructor(root: string, url: string, seed: number) {
    this.#root = root
    this.#url = url
    this.#seed = seed
    this.#random = randomFrom(seed)
    this.#next = new Life(root, url)
  }

  async run(kills: number): Promise<Campaign> {
    const beganAt = performance.now()
    // The first makes the directory, and leaves compiled code for all others.
    await this.#live(this.#begin({ closeAfterMs: 0 }), async (life) => await life.reached('closed'))
    for (let kill = 0; kill < kills;) kill += (await this.#strike()) ? 1 : 0
    const last = this.#begin({ isLast: true })
    await this.#live(last, async () => await last.reached('closed'))
    return {
      seed: this.#seed,
      root: this.#root,
      lives: this.#count,
      struck: this.#struck,
      acknowledged: this.#acknowledged,
      ended: last.heard('checked') as Ended, // Written by the program.
      closed: last.heard('closed') as CloseReport, // The same.
      durationMs: performance.now() - beganAt,
    }
  }

  async end(): Promise<void> {
    await this.#next.kill()
  }

  /** One life that is killed. Answers whether the kill came before its end. */
  async #strike(): Promise<boolean> {
    const aim = this.#aim()
    const [first, second] = [this.#random(), this.#random()]
    const life = this.#begin({
      ...(aim === 'closing' ? { closeAfterMs: WORKING_MS_MIN * (1 + first) } : {}),
      ...(aim === 'acknowledged' ? { dieAfter: 1 + Math.floor(first * ACKNOWLEDGED_MAX) } : {}),
    })
    let isStruck = false
    await this.#live(life, async () => {
      await life.reached(aim === 'acknowledged' ? 'working' : aim)
      // One that kills itself has all the time that it needs; where it does not come to that, it is killed like any other.
      if (aim === 'acknowledged') await Promise.race([life.exit(), pass(WORKING_MS_MAX)])
      else await pass(delayOf(aim, second))
      isStruck = await life.kill()
      if (isStruck) this.#struck[life.stage] += 1
    })
    return isStruck
  }

  #aim(): Aim {
    let rest = this.#random()
    for (const [aim, share] of SHARES) {
      if (rest < share) return aim
      rest -= share
    }
    return 'working'
  }

  #begin(more: Partial<Orders>): Life {
    const life = this.#next
    this.#next = new Life(this.#root, this.#url)
    const threads = this.#random() < TWO_THREADS_SHARE ? 2 : 1
    life.begin({ life: this.#count, seed: this.#seed + this.#count, threads, acknowledged: this.#acknowledged.through, ...more })
    return life
  }

  /** Waits for the end of a life; compares what it has found with what had been acknowledged, and takes its notes. */
  async #live(life: Life, until: (life: Life) => Promise<unknown>): Promise<void> {
    await until(life)
    const code = await life.exit()
    const problems = code === 0 || code === null ? [] : [`it ended with ${code}`]
    const found = life.heard('found') as Account | undefined // Written by the program.
    if (found !== undefined) problems.push(...found.violations, ...this.#acknowledged.missing(found))
    const closed = life.heard('closed') as CloseReport | undefined // Written by the program.
    if (closed !== undefined && closed.outcome !== 'polite') problems.push(`closed: ${JSON.stringify(closed)}`)
    const notes = takeNotes(this.#root, this.#count)
    for (const [sender, n] of notes.acknowledged) this.#acknowledged.add(sender, n)
    problems.push(...notes.complaints)
    if (problems.length > 0) throw new Error(`life ${this.#count}:\n${problems.slice(0, 20).join('\n')}`)
    this.#count += 1
  }
}

/** Short waits are more frequent: most of what can go wrong is near a start. */
function delayOf(aim: Aim, random: number): number {
  if (aim === 'opening') return random * OPENING_MS
  if (aim === 'closing') return random * CLOSING_MS
  return WORKING_MS_MIN + random ** 2 * (WORKING_MS_MAX - WORKING_MS_MIN)
}
