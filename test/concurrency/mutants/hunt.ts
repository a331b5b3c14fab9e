/** Hunting a mutant: the campaigns in a process of their own with the fault in it, until one of them fails. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Mutant } from './mutant.ts'

const PLANT = fileURLToPath(new URL('plant.ts', import.meta.url))
const SEARCH = fileURLToPath(new URL('search.ts', import.meta.url))
/** Longer than any budget takes on a slow machine; a process that hangs is ended, and has caught nothing. */
const HUNT_MS_MAX = 10 * 60_000

/** How far a hunt goes. */
export interface HuntOptions {
  /** How many schedules, over all campaigns. */
  readonly schedules: number
  readonly seed: number
  /** The name of the campaign that is tried first. Default: none goes before those of the mutant's guarantee. */
  readonly first?: string | undefined
}

/** What a hunt has come to. */
export interface Hunted {
  /** What caught it; `undefined` if nothing did. */
  readonly caught: { readonly campaign: string; readonly error: string } | undefined
  /** How many schedules ran, over all campaigns, up to the first that failed. */
  readonly schedules: number
}

/** Runs the campaigns with a mutant, or with the kernel as it is. Rejects if the process does not say what they came to. */
export async function hunt(mutant: Mutant | undefined, { schedules, seed, first = '' }: HuntOptions): Promise<Hunted> {
  const args = ['--import', PLANT, SEARCH, String(schedules), String(seed), mutant?.guarantee ?? '', first]
  const env = { ...process.env, BAILIWICK_MUTANT: mutant?.name ?? '' }
  return await new Promise((resolve, reject) => {
    execFile(process.execPath, args, { env, timeout: HUNT_MS_MAX, killSignal: 'SIGKILL', maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      if (error === null) resolve(JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Hunted) // Written by `search.ts`.
      else reject(new Error(`the campaigns did not come to an end (${error.message}): ${stderr}`, { cause: error }))
    })
  })
}
