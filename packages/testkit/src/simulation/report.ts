/** A failing run in words. */
import type { HistoryEvent } from '../histories/history.ts'
import type { RunSize, SimulationFailure } from './failure.ts'

const EVENTS_MAX = 60
const VALUE_MAX = 120

/** What failed, how large the run is, how to see it again, and what clients called and heard. */
export function describeFailure(failure: SimulationFailure): string {
  const { after, before, error, faults, history, run, schedule, seed, strategy } = failure
  const isSmaller = describeSize(after) !== describeSize(before)
  return [
    `Run ${run} of seed ${seed} (${strategy}) failed: ${error.name}: ${error.message}`,
    '',
    `  found with   ${describeSize(before)}`,
    isSmaller ? `  shrunk to    ${describeSize(after)}` : undefined,
    faults.length === 0 ? undefined : `  faults       ${faults.join(', ')}`,
    `  see it again simulate({ …, replay: '${schedule}' })`,
    '',
    ...describeHistory(history),
  ]
    .filter((line) => line !== undefined)
    .join('\n')
}

function describeSize({ commands, faults, switches, values }: RunSize): string {
  return [count(faults, 'fault'), count(commands, 'command'), count(values, 'drawn value'), count(switches, 'context switch', 'es')].join(
    ', ',
  )
}

function count(number: number, word: string, plural = 's'): string {
  return `${number} ${word}${number === 1 ? '' : plural}`
}

function describeHistory(history: readonly HistoryEvent[]): readonly string[] {
  const lines = history.slice(-EVENTS_MAX).map(({ time, process, type, f, key, value }) => {
    return `  ${String(time).padStart(7)} ms  ${String(process).padStart(3)}  ${type.padEnd(6)}  ${key ?? ''} ${f} ${describeValue(value)}`.trimEnd()
  })
  if (lines.length === 0) return []
  const left = history.length - lines.length
  return ['  What clients called and heard:', ...(left > 0 ? [`  … ${left} before`] : []), ...lines]
}

function describeValue(value: unknown): string {
  const text = value === undefined ? '' : JSON.stringify(value)
  return text.length > VALUE_MAX ? `${text.slice(0, VALUE_MAX)}…` : text
}
