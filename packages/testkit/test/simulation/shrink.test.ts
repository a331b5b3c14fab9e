import { describe, expect, test } from 'vitest'
import { shrink } from '../../src/simulation/shrink.ts'
import type { FailedRun } from '../../src/simulation/shrink.ts'
import type { TapeText } from '../../src/simulation/tape.ts'

const kill = (at: number): TapeText['faults'][number] => ({ kind: 'process-kill', at, amount: 0 })

const noisy: FailedRun = {
  text: { seed: 1, batchCommands: 4, choices: [1, 0, 2, 3, 0, 1], faults: [kill(1), kill(5), kill(9)], values: {}, removed: [] },
  values: { a: [5, 1_000, 8], b: [77] },
  commands: ['c1', 'c2', 'c3', 'c4', 'c5'],
}

/** Plays a tape on a machine that fails where `isFailing` says so, and records what it was given. */
function machine(isFailing: (run: FailedRun) => boolean): { played: TapeText[]; play: (text: TapeText) => Promise<FailedRun | undefined> } {
  const played: TapeText[] = []
  return {
    played,
    play: (text) => {
      played.push(text)
      const values = { ...noisy.values, ...text.values }
      const run: FailedRun = {
        text,
        values: Object.fromEntries(Object.entries(values).map(([name, v]) => [name, [...v]])),
        commands: noisy.commands,
      }
      return Promise.resolve(isFailing(run) ? run : undefined)
    },
  }
}

describe('shrink', () => {
  test('cuts everything where everything fails', async () => {
    const { run } = await shrink(noisy, machine(() => true).play, 1_000)
    expect(run.text).toMatchObject({ faults: [], removed: noisy.commands })
    expect(run.text.choices.every((choice) => choice === 0)).toBe(true)
    expect(
      Object.values(run.values)
        .flat()
        .every((value) => value === 0),
    ).toBe(true)
  })

  test('keeps what the failure needs: one fault, two commands, a value above a bound, one switch', async () => {
    const { play } = machine(({ text, values }) => {
      const kept = new Set(noisy.commands.filter((command) => !text.removed.includes(command)))
      return (
        text.faults.some(({ at }) => at === 5) &&
        kept.has('c2') &&
        kept.has('c4') &&
        (values['a']?.[1] ?? 0) >= 100 &&
        (text.choices[3] ?? 0) > 0
      )
    })
    const { run } = await shrink(noisy, play, 10_000)
    expect(run.text.faults).toEqual([kill(5)])
    expect(noisy.commands.filter((command) => !run.text.removed.includes(command))).toEqual(['c2', 'c4'])
    expect(run.values['a']?.[1]).toBeLessThan(200)
    expect(run.text.choices).toEqual([0, 0, 0, 1, 0, 0])
  })

  test('faults go first, then commands, then values, then switches', async () => {
    const { play, played } = machine(() => false)
    await shrink(noisy, play, 1_000)
    const what = played.map(({ choices, faults, removed, values }) => {
      if (faults.length < noisy.text.faults.length) return 'faults'
      if (removed.length > 0) return 'commands'
      if (Object.keys(values).length > 0) return 'values'
      return choices === noisy.text.choices ? 'nothing' : 'switches'
    })
    expect(what.filter((each, index) => each !== what[index - 1])).toEqual(['faults', 'commands', 'values', 'switches'])
  })

  test('spends no more runs than it may', async () => {
    const { played, play } = machine(() => false)
    const { runs } = await shrink(noisy, play, 3)
    expect([runs, played.length]).toEqual([3, 3])
  })
})
