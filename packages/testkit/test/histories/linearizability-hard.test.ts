/** Long histories: right by the way they were made, or with one answer that cannot be. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { checkLinearizable } from '../../src/histories/linearizability.ts'
import { casRegister, keyValueAppend } from '../../src/histories/models.ts'
import { simulatedKeyValue, simulatedRegister, withImpossibleGet } from './simulated-histories.ts'
import type { Simulated } from './simulated-histories.ts'

const PROGRAM = fileURLToPath(new URL('fixtures/check-key-value.ts', import.meta.url))
/** Seconds, where machines are slow and busy. */
const TOOK_MS_MAX = 10_000

interface Answer {
  readonly verdict: string
  readonly partition?: string
  readonly tookMs: number
  readonly megabytes: number
  readonly text: string
}

async function checked(options: Simulated & { readonly bad?: string }): Promise<Answer> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--max-old-space-size=512', PROGRAM, JSON.stringify(options)])
  return JSON.parse(stdout) as Answer
}

const large = { operations: 2_000, clients: 50, keys: 10 }

describe('2,000 operations of 50 clients on 10 keys', () => {
  test.each([
    { name: 'all ends known', unknown: 0, seed: 11 },
    { name: 'some ends unknown', unknown: 0.02, seed: 12 },
    { name: 'a third of the ends unknown', unknown: 0.2, seed: 13 },
  ])(
    'are answered within seconds and 512 MB, with $name: the bad key is found, and none where there is none',
    async ({ unknown, seed }) => {
      const right = await checked({ ...large, unknown, seed })
      expect(right).toMatchObject({ verdict: 'yes' })
      const wrong = await checked({ ...large, unknown, seed, bad: '7' })
      expect(wrong).toMatchObject({ verdict: 'no', partition: '7' })
      expect(wrong.text).toContain('The history of "7" is not linearizable.')
      for (const { tookMs, megabytes } of [right, wrong]) {
        expect(tookMs).toBeLessThan(TOOK_MS_MAX)
        expect(megabytes).toBeLessThan(512)
      }
    },
  )
})

describe('histories that are right by the way they were made', () => {
  test.each([0, 0.03, 0.15])(
    'are accepted, and are refused with one planted read that cannot be (share of unknown ends: %d)',
    (unknown) => {
      for (let seed = 100; seed < 130; seed++) {
        const texts = simulatedKeyValue({ seed, operations: 400, clients: 10, keys: 3, unknown })
        expect({ seed, ...checkLinearizable(texts, keyValueAppend()) }).toMatchObject({ verdict: 'yes' })
        const wrong = withImpossibleGet(texts, '1')
        expect({ seed, ...checkLinearizable(wrong, keyValueAppend()) }).toMatchObject({ verdict: 'no', partition: '1' })
      }
    },
  )

  test.each([0, 0.01, 0.05])(
    'are accepted for a register with compare-and-set, and refused with a value that was never written (%d)',
    (unknown) => {
      for (let seed = 200; seed < 230; seed++) {
        const right = simulatedRegister({ seed, operations: 200, clients: 5, unknown })
        expect({ seed, ...checkLinearizable(right, casRegister()) }).toMatchObject({ verdict: 'yes' })
        const reads = right.filter(({ f, type }) => f === 'read' && type === 'ok')
        const victim = reads[Math.floor(reads.length / 2)]
        const wrong = right.map((event) => (event === victim ? { ...event, value: 99 } : event))
        expect({ seed, ...checkLinearizable(wrong, casRegister()) }).toMatchObject({ verdict: 'no' })
      }
    },
  )

  test('may have 30,000 operations', () => {
    const long = simulatedKeyValue({ seed: 5, operations: 3_000, clients: 1 })
    expect(checkLinearizable(long, keyValueAppend())).toEqual({ verdict: 'yes' })
    const longer = simulatedRegister({ seed: 5, operations: 30_000, clients: 2 })
    expect(checkLinearizable(longer, casRegister())).toEqual({ verdict: 'yes' })
  })
})
