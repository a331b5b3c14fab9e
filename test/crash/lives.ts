/** The lives of the program that is killed: how one is begun, what is heard of it, and how it ends. */
import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as pass } from 'node:timers/promises'
import type { Account } from './fixtures/account.ts'

/** What one life is to be. */
export interface Orders {
  readonly life: number
  readonly seed: number
  /** How many threads serve the shards. */
  readonly threads: number
  /** It closes politely so long after it has opened; 0 for without any load. Without a number it works until it is killed. */
  readonly closeAfterMs?: number
  /** It kills itself as soon as it has heard of so many acknowledgements. */
  readonly dieAfter?: number
  /** It lets everything come to its end, and says what there is. */
  readonly isLast?: boolean
  /** The last number of each sender that was acknowledged. */
  readonly acknowledged: Readonly<Record<string, number>>
}

/** What the last life has found. */
export interface Ended {
  readonly account: Account
  /** What did not come to its end in time. */
  readonly left: readonly string[]
  readonly letters: readonly string[]
  readonly epoch: number
  readonly lateResults: number
  readonly actionFailures: number
  readonly stranded: number
}

/** How far a life has come, as it has said itself. */
export const STAGES = ['loaded', 'opening', 'found', 'working', 'closing', 'closed'] as const
export type Stage = (typeof STAGES)[number]

/** How long a life may take from one stage to the next. */
const STAGE_MS_MAX = 90_000

/** One life of the program. */
export class Life {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #ended: Promise<readonly unknown[]>
  readonly #heard = new Map<string, unknown>()
  readonly #waiting = new Map<string, () => void>()
  stage: Stage = 'loaded'

  /** Loads the program, which then waits for its orders. */
  constructor(root: string, url: string) {
    this.#child = spawn(process.execPath, [join(import.meta.dirname, 'program.ts'), root, url], {
      stdio: ['pipe', 'pipe', 'inherit'],
      // A group of its own: a kill takes whatever belongs to it.
      detached: true,
      env: { ...process.env, NODE_COMPILE_CACHE: join(root, 'compiled'), BAILIWICK_CRASH: root },
    })
    this.#ended = once(this.#child, 'close')
    // A line may meet a process that is gone; its end tells.
    this.#child.stdin.on('error', () => undefined)
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#hear(line))
  }

  begin(orders: Orders): void {
    this.#child.stdin.write(`${JSON.stringify(orders)}\n`)
  }

  /** Waits for a stage; answers what was said with it. Rejects if the life ends before, or takes too long. */
  async reached(stage: string): Promise<unknown> {
    if (this.#heard.has(stage)) return this.#heard.get(stage)
    const heard = new Promise<true>((resolve) => this.#waiting.set(stage, () => resolve(true)))
    const isHeard = await Promise.race([heard, this.#ended, pass(STAGE_MS_MAX, undefined, { ref: false })])
    if (isHeard === true || this.#heard.has(stage)) return this.#heard.get(stage)
    throw new Error(
      `It did not come to "${stage}": it is at "${this.stage}", ${this.#child.exitCode ?? this.#child.signalCode ?? 'running'}.`,
    )
  }

  /** What was said with a stage, if it was reached. */
  heard(stage: string): unknown {
    return this.#heard.get(stage)
  }

  /** Kills the whole group; answers whether anything was left to be killed. */
  async kill(): Promise<boolean> {
    const { pid } = this.#child
    if (pid === undefined) throw new Error('The program was not started.')
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // It is gone.
    }
    const [, signal] = await this.#ended
    return signal === 'SIGKILL'
  }

  /** Waits for its end; answers its exit code, `null` if a signal has ended it. */
  async exit(): Promise<number | null> {
    await this.#ended
    return this.#child.exitCode
  }

  #hear(line: string): void {
    const [stage = '', text = '""'] = line.split(/ (.*)/s)
    this.#heard.set(stage, JSON.parse(text))
    const known = STAGES.find((each) => each === stage)
    if (known !== undefined) this.stage = known
    this.#waiting.get(stage)?.()
  }
}

/** What the file of a life holds: acknowledgements, and complaints. The file is removed. */
export function takeNotes(
  root: string,
  life: number,
): { readonly acknowledged: readonly (readonly [string, number])[]; readonly complaints: readonly string[] } {
  const file = join(root, `acknowledged-${life}`)
  // A life that was ended early has not made it.
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
  rmSync(file, { force: true })
  return {
    acknowledged: lines
      .filter((line) => !line.startsWith('!'))
      .map((line) => [line.slice(0, line.indexOf(' ')), Number(line.slice(line.indexOf(' ') + 1))]),
    complaints: lines.filter((line) => line.startsWith('!')),
  }
}

/** Processes that belong to a test, by what stands in their environment. Empty where the system does not show it. */
export function processesOf(root: string): readonly string[] {
  if (!existsSync('/proc/self/environ')) return []
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid && belongs(pid, root))
}

/** Ends what a test that has failed may have left behind. */
export function endProcessesOf(root: string): void {
  for (const pid of processesOf(root)) {
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It is gone.
    }
  }
}

function belongs(pid: string, root: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`BAILIWICK_CRASH=${root}\0`)
  } catch {
    // It is gone, or somebody else's.
    return false
  }
}
