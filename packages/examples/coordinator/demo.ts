/**
 * The demo: replays GitHub's webhooks into durable actors, goes on from what is on disk, and says what came of it. Then it
 * plays a scene of a provider session.
 *
 * Exit codes: 0 all is done, 1 it could not go on, 2 the command line was not understood, 130 Ctrl-C.
 */

import { mkdir } from 'node:fs/promises'
import { openSystem } from '@bailiwick/kernel'
import type { System } from '@bailiwick/kernel'
import { actors, effects } from './actors.ts'
import { codeOf } from './error-code.ts'
import { Latency } from './latency.ts'
import { help, parseOptions, UsageError } from './options.ts'
import type { Options } from './options.ts'
import { readExamples } from './payloads.ts'
import type { Example } from './payloads.ts'
import { Progress } from './progress.ts'
import { replayLog } from './replay.actor.ts'
import { replay } from './replay.ts'
import { isSound, playScene } from './session-scene.ts'
import type { Scene } from './session-scene.ts'
import { sceneGreeting, sceneText } from './session-text.ts'
import { isExact, nextText, summaryText } from './summary.ts'
import type { Summary, Told } from './summary.ts'
import { sortCounts } from './tally.ts'
import { readTotals } from './totals.ts'
import { several } from './words.ts'

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args)
    if (options.help) {
      process.stdout.write(help)
      return 0
    }
    return await run(options)
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`demo: ${error.message}. See --help.\n`)
      return 2
    }
    // An error with a code is news about the world, which its message tells; one without is a bug, which its stack tells.
    if (codeOf(error) === undefined) throw error
    process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

async function run(options: Options): Promise<number> {
  const { data: directory, shards } = options
  await mkdir(directory, { recursive: true })
  await using system = await openSystem({ directory, actors, effects, ...(shards !== undefined && { shards }) })
  const interrupted = new AbortController()
  let stoppedCode = 0
  const stopWith = (code: number) => (): void => {
    stoppedCode = code
    interrupted.abort()
  }
  // Only once: a second one ends the process at once, which does no harm either.
  // oxlint-disable-next-line bailiwick/no-process-signals -- the program says how far it has come before the system closes.
  process.once('SIGINT', stopWith(130))
  // oxlint-disable-next-line bailiwick/no-process-signals -- the same.
  process.once('SIGTERM', stopWith(143))

  const screen = options.json ? process.stderr : process.stdout
  const before = await system.actor(replayLog, 'github').ask.progress()
  screen.write(`${greeting(before.rounds, options)}\n`)

  const examples = readExamples()
  const latency = new Latency()
  const progress = new Progress(screen, options.rounds, latency, before.tally)
  const startedAt = performance.now()
  const rounds = await replay(system, {
    examples,
    rounds: options.rounds,
    latency,
    signal: interrupted.signal,
    onProgress: (done, tally) => progress.show(done, tally),
  })
  const seconds = (performance.now() - startedAt) / 1000
  progress.end()
  if (rounds < options.rounds) {
    screen.write(`Stopped after ${several(rounds, 'round')}; all of them are on disk. Start it again to go on.\n`)
    return stoppedCode
  }
  const summary = await summarise(system, directory, { roundsBefore: before.rounds, seconds, latency, examples })
  if (!options.json) screen.write(summaryText(summary))
  const scene = options.replayOnly ? undefined : await play(system, { examples, directory, screen, signal: interrupted.signal })
  if (scene === 'stopped') {
    screen.write('Stopped in the middle of the scene. Start it again to go on.\n')
    return stoppedCode
  }
  return report(options, summary, scene)
}

interface Stage {
  readonly examples: readonly Example[]
  readonly directory: string
  readonly screen: NodeJS.WriteStream
  readonly signal: AbortSignal
}

/** Plays the scene, unless it is stopped before its end: the turns that run then are parked when the system closes. */
async function play(system: System, { signal, screen, ...stage }: Stage): Promise<Scene | 'stopped'> {
  const onBegin = (scene: number, isContinued: boolean): void => void screen.write(`\n${sceneGreeting(scene, isContinued)}\n`)
  if (signal.aborted) return 'stopped'
  const stopped = new Promise<'stopped'>((resolve) => {
    signal.addEventListener('abort', () => resolve('stopped'), { once: true })
  })
  const played = playScene(system, { ...stage, onBegin })
  played.catch(() => undefined) // When it was stopped, nobody waits for it any more.
  return await Promise.race([stopped, played])
}

function greeting(roundsBefore: number, { rounds, data }: Options): string {
  if (roundsBefore === 0) return `Replaying ${several(rounds, 'round')} of GitHub's example webhooks into ${data}`
  if (roundsBefore >= rounds) return `${several(roundsBefore, 'round')} are on disk in ${data}`
  return `Going on after ${several(roundsBefore, 'round')} of ${rounds} that are on disk in ${data}`
}

interface Run {
  readonly roundsBefore: number
  readonly seconds: number
  readonly latency: Latency
  readonly examples: readonly Example[]
}

async function summarise(system: System, directory: string, { roundsBefore, seconds, latency, examples }: Run): Promise<Summary> {
  const { rounds, tally } = await system.actor(replayLog, 'github').ask.progress()
  const { replayed, residentActors } = system.stats()
  return {
    directory,
    totals: { rounds, ...tally, dropped: sortCounts(tally.dropped), ...(await readTotals(system, rounds, examples)) },
    thisRun: {
      roundsBefore,
      seconds,
      answeredFromRecord: replayed,
      actorsInMemory: residentActors,
      latencyMs: { urgent: latency.of('urgent'), normal: latency.of('normal') },
    },
  }
}

/** Prints what is left to say. A sum that does not come out is a bug of the runtime and must not pass unseen. */
function report({ json }: Options, summary: Summary, scene: Scene | undefined): number {
  const told: Told = { ...summary, ...(scene !== undefined && { scene }) }
  process.stdout.write(json ? `${JSON.stringify(told, null, 2)}\n` : `${scene === undefined ? '' : sceneText(scene)}${nextText(summary)}`)
  return isExact(summary) && (scene === undefined || isSound(scene)) ? 0 : 1
}
