/** The scene in words: who held the session when, how fast it was handed over, and what came of it. */

import type { HandOver, Held, SessionReport } from './session-report.ts'
import { isSound } from './session-scene.ts'
import type { Scene } from './session-scene.ts'
import { count, duration, several } from './words.ts'

/** What is said before a scene is played. */
export function sceneGreeting(scene: number, isContinued: boolean): string {
  return isContinued
    ? `Going on with scene ${scene} of a provider session, which was cut off: its tasks resume.`
    : `Scene ${scene} of a provider session: a worker at its tasks, interrupted by comments and checks.`
}

/** The scene as text. */
export function sceneText(scene: Scene): string {
  const { polite, deaf } = scene
  return [
    '',
    ...table(polite.held),
    ...(scene.isContinued ? ['Times include those between the runs, in which nobody was there.'] : []),
    '',
    ...handOvers(polite.handOvers),
    ...facts(polite),
    '',
    'The same with a provider that ignores its interrupt. It has a second to stop, then it is killed:',
    ...table(deaf.held),
    ...handOvers(deaf.handOvers),
    ...facts(deaf),
    ...(isSound(scene) ? [] : ['', 'THIS IS NOT AS IT HAS TO BE: somebody got no answer, or two held the session at once.']),
    '',
  ].join('\n')
}

function table(held: readonly Held[]): readonly string[] {
  const header = `  ${'epoch'.padStart(5)} ${'at ms'.padStart(6)} ${'for'.padStart(5)}  ${'who'.padEnd(14)} ${'rank'.padEnd(10)} ${'attempt'.padEnd(8)}${'from'.padEnd(8)}ended`
  return [
    header,
    ...held.map(
      ({ epoch, from, to, command, rank, attempt, step, ending }) =>
        `  ${String(epoch).padStart(5)} ${String(from).padStart(6)} ${String(to - from).padStart(5)}  ${command.padEnd(14)} ${rank.padEnd(10)} ` +
        `${String(attempt).padEnd(8)}${(step === undefined ? '' : `step ${step}`).padEnd(8)}${ending}`,
    ),
  ]
}

function handOvers(all: readonly HandOver[]): readonly string[] {
  if (all.length === 0) return []
  const row = (label: string, times: readonly number[]): string =>
    `  ${label.padEnd(34)} half within ${duration(middle(times)).padStart(7)}, all within ${duration(Math.max(...times)).padStart(7)}`
  return [
    `${several(all.length, 'hand-over')}, from the call of the one who interrupts:`,
    row(
      'the task has seen its signal',
      all.map(({ seenMs }) => seenMs),
    ),
    row(
      'the one who interrupts has begun',
      all.map(({ begunMs }) => begunMs),
    ),
  ]
}

function facts({ held, pids, lateResults, repliesPosted }: SessionReport): readonly string[] {
  const [parked = 0, aborted = 0, dropped = 0] = ['parked', 'aborted', 'dropped'].map(
    (word) => held.filter(({ ending }) => ending.startsWith(word)).length,
  )
  return [
    `Tasks were ${[
      ...(parked === 0 ? [] : [`parked ${times(parked)} and resumed`]),
      ...(aborted === 0 ? [] : [`aborted ${times(aborted)} and started again`]),
      ...(dropped === 0 ? [] : [`dropped ${times(dropped)}`]),
    ].join(', ')}.`,
    pids.length === 1
      ? `One provider all the time: process ${String(pids[0])}.`
      : `${count(pids.length)} providers, one after the other: processes ${pids.join(', ')}.`,
    `${several(repliesPosted, 'reply').replace('replys', 'replies')} posted. Late results, without effect: ${count(lateResults)}.`,
  ]
}

function times(value: number): string {
  return value === 1 ? 'once' : value === 2 ? 'twice' : `${count(value)} times`
}

function middle(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor((values.length - 1) / 2)] ?? 0
}
