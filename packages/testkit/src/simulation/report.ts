/** A failing run in words. */
import type { HistoryEvent } from '../histories/history.ts'
import { NotDeterministic, StrayCall } from './errors.ts'
import type { RunSize, SimulationFailure, SimulationReport, Strike } from './failure.ts'

const EVENTS_MAX = 60
const VALUE_MAX = 120

/** What failed, how large the run is, how to see it again, and what clients called and heard. */
export function describeFailure(failure: SimulationFailure): string {
  const { after, before, error, firstSchedule, history, isReproducible, run, schedule, seed, strategy, strikes } = failure
  // Two runs that differ, and what only an audited run sees, say all there is to say.
  const isReplayable = !(error instanceof NotDeterministic) && (isReproducible || !(error instanceof StrayCall))
  const [found, left] = [describeSize(before), describeSize(after)]
  return [
    `Run ${run} of seed ${seed} (${strategy}) failed: ${error.name}: ${error.message}`,
    '',
    `  found with    ${found}`,
    found === left ? undefined : `  shrunk to     ${left}`,
    ...(!isReplayable
      ? []
      : isReproducible
        ? [`  see it again  simulate({ …, replay: '${schedule}' })`]
        : [
            '  Played again from its schedule, this run does not fail in the same way: something depends on what is left over from',
            '  earlier runs, or on what is not simulated (a variable of a module, the real clock, chance, I/O).',
            `  its schedule  ${firstSchedule}`,
          ]),
    '',
    ...describeHistory(history, strikes),
  ]
    .filter((line) => line !== undefined)
    .join('\n')
}

/** What a search has come to, in a few lines: how much was tried, what struck, and what became of each property. */
export function describeReport({ distinct, faults, properties, schedules, steps }: SimulationReport): string {
  const struck = Object.entries(faults).filter(([, times]) => times > 0)
  return [
    `${numberOf(schedules)} schedules, ${numberOf(distinct)} of them distinct, ${numberOf(steps)} steps`,
    ...(struck.length === 0 ? [] : [`faults: ${struck.map(([kind, times]) => `${kind} ${numberOf(times)}`).join(', ')}`]),
    ...properties.map(({ evaluated, held, kind, name }) => `${kind} "${name}": ${numberOf(held)} of ${numberOf(evaluated)}`),
  ].join('\n')
}

function numberOf(value: number): string {
  return value.toLocaleString('en')
}

function describeSize({ calls, faults, parts, switches, values }: RunSize): string {
  const counts = [count(faults, 'fault'), count(parts, 'part'), count(values, 'drawn value'), count(switches, 'context switch', 'es')]
  const left = counts.filter((text) => !text.startsWith('0 ')).join(', ')
  return `${left === '' ? 'nothing that could be left out' : left}, in ${count(calls, 'call')}`
}

function count(number: number, word: string, plural = 's'): string {
  return `${number} ${word}${number === 1 ? '' : plural}`
}

function describeHistory(history: readonly HistoryEvent[], strikes: readonly Strike[]): readonly string[] {
  if (history.length === 0)
    return ['  No client has called anything. Calls of a client of the world are steps and stand here; those of world.system are not.']
  const from = Math.max(0, history.length - EVENTS_MAX)
  const width = Math.max(...history.map(({ by, process }) => (by ?? String(process)).length))
  const struck = (at: number): readonly string[] =>
    strikes
      .filter((strike) => strike.at === at)
      .map(
        ({ kind, time, whom }) =>
          `  ${timeOf(time)}  ${' '.repeat(width)}  ${kind === 'note' ? `note    ${whom}` : `fault   ${kind}, ${whom}`}`,
      )
  const lines = history.slice(from).flatMap((event) => {
    const { by, f, index, key, process, time, type, value } = event
    const who = (by ?? String(process)).padEnd(width)
    return [...struck(index), `  ${timeOf(time)}  ${who}  ${type.padEnd(6)}  ${key ?? ''} ${f} ${describeValue(value)}`.trimEnd()]
  })
  return ['  What clients called and heard:', ...(from > 0 ? [`  … ${from} lines before`] : []), ...lines, ...struck(history.length)]
}

function timeOf(time: number): string {
  return `${String(time).padStart(7)} ms`
}

function describeValue(value: unknown): string {
  const text = value === undefined ? '' : JSON.stringify(value)
  return text.length > VALUE_MAX ? `${text.slice(0, VALUE_MAX)}…` : text
}
