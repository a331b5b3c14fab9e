/** What the demo says at the end: for people as text, for programs as JSON. */

import type { LatencyOfLane } from './latency.ts'
import { defaults } from './options.ts'
import type { Scene } from './session-scene.ts'
import type { Tally } from './tally.ts'
import { handledBy } from './totals.ts'
import type { Totals } from './totals.ts'
import { count, duration, several } from './words.ts'

/** Everything there is to say. What is under `totals` is the same after any number of crashes. */
export interface Summary {
  readonly directory: string
  readonly totals: { readonly rounds: number } & Tally & Totals
  readonly thisRun: {
    readonly roundsBefore: number
    readonly seconds: number
    /** Commands that an idempotency key recognised: delivered twice, or sent again after a crash. */
    readonly answeredFromRecord: number
    readonly actorsInMemory: number
    readonly latencyMs: { readonly urgent: LatencyOfLane; readonly normal: LatencyOfLane }
  }
}

/** What the demo as a whole says to programs. */
export interface Told extends Summary {
  /** The scene of the provider session, if it was played. */
  readonly scene?: Scene
}

/** Whether every command that was not rejected has taken effect exactly once. */
export function isExact({ totals }: Summary): boolean {
  return handledBy(totals) === totals.commands - totals.rejected
}

/** The summary of the replay as text. */
export function summaryText(summary: Summary): string {
  return [...replayed(summary), ...commands(summary), ...states(summary), ...latency(summary), ''].join('\n')
}

function replayed({ totals, thisRun }: Summary): readonly string[] {
  const rounds = totals.rounds - thisRun.roundsBefore
  const dropped = Object.entries(totals.dropped).toSorted(([, one], [, other]) => other - one)
  return [
    '',
    rounds === 0
      ? `All ${several(totals.rounds, 'round')} are on disk already; what follows was read from there.`
      : thisRun.roundsBefore === 0
        ? `Replayed ${several(rounds, 'round')} of GitHub's examples in ${duration(thisRun.seconds * 1000)}.`
        : `Replayed ${several(rounds, 'round')} in ${duration(thisRun.seconds * 1000)}, after ${several(thisRun.roundsBefore, 'round')} that were on disk.`,
    '',
    row('Deliveries', totals.deliveries),
    row(
      '  dropped, each with a reason',
      dropped.reduce((sum, [, many]) => sum + many, 0),
    ),
    ...dropped.map(([reason, many]) => row(`    ${reason}`, many)),
    row('  refused, being malformed', totals.refused, 'one in a round is mangled on purpose'),
    row('  delivered again', totals.repeats, 'without effect, thanks to the delivery id'),
  ]
}

function commands(summary: Summary): readonly string[] {
  const { totals, thisRun } = summary
  const handled = handledBy(totals)
  return [
    row('Commands', totals.commands),
    row('  rejected by a state', totals.rejected, 'a merged pull request, a removed comment'),
    row('  recognised as duplicates', thisRun.answeredFromRecord, 'in this run: delivered again, or sent again after a crash'),
    row(
      '  took effect',
      handled,
      isExact(summary) ? 'each exactly once, as counted by the actors' : 'NOT what was sent less what was rejected',
    ),
    ...Object.entries(totals.handled).map(([name, many]) => row(`    ${name}`, many)),
  ]
}

function states({ totals, thisRun }: Summary): readonly string[] {
  const actors = Object.values(totals.actors).reduce((sum, many) => sum + many, 0)
  return [
    row('Actors', actors, `${count(thisRun.actorsInMemory)} in memory`),
    ...Object.entries(totals.actors).map(([type, many]) => {
      const prefix = `${type}.`
      const inStates = Object.entries(totals.states).filter(([name]) => name.startsWith(prefix))
      return row(`  ${type}`, many, inStates.map(([name, some]) => `${count(some)} ${name.slice(prefix.length)}`).join(', '))
    }),
  ]
}

function latency({ thisRun: { latencyMs } }: Summary): readonly string[] {
  const { urgent, normal } = latencyMs
  if (urgent.count === 0 || normal.count === 0) return []
  const gain = normal.p50 / urgent.p50
  return [
    '',
    'From call to answer, under load:',
    `  urgent  half within ${duration(urgent.p50).padStart(7)}, 99 of 100 within ${duration(urgent.p99).padStart(7)}`,
    `  normal  half within ${duration(normal.p50).padStart(7)}, 99 of 100 within ${duration(normal.p99).padStart(7)}`,
    gain >= 1.1
      ? `Review comments and failed checks overtook the rest: they were answered ${gain.toFixed(1)} times sooner.`
      : 'There was hardly a queue, so urgent commands had little to overtake.',
  ]
}

/** What to do next, as text. */
export function nextText({ directory, totals }: Summary): string {
  const data = directory === defaults.data ? '' : ` --data ${directory}`
  return [
    '',
    `Everything lies in ${directory}`,
    '',
    'To go on from here:',
    `  npx --yes pnpm@12 demo --rounds ${totals.rounds + defaults.rounds}${data}`,
    'Meanwhile, kill -9 the process from another terminal and start it again: the totals come out as if nothing had happened.',
    'Other directories, more threads, JSON: --help',
    '',
  ].join('\n')
}

function row(label: string, value: number, remark = ''): string {
  return `${label.padEnd(40)} ${count(value).padStart(11)}${remark === '' ? '' : `   ${remark}`}`
}
