/** The restore drill: a backup of a running system, the end of the original, and the copy in its place. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import type { System } from '@bailiwick/kernel'
import { openReader } from '@bailiwick/store'
import { expect, onTestFinished, test } from 'vitest'
import { ledger } from '../fixtures/ledger.actor.ts'
import { codeOf, makePlace, until } from '../fixtures/place.ts'
import { deliver, LEDGERS, linesOf, workshop } from './fixtures/workshop.actor.ts'
import { errorsIn } from './fixtures/subject.ts'

const WORKSHOPS = ['w0', 'w1', 'w2', 'w3']
const OPTIONS = { actors: [workshop, ledger], effects: [deliver], shards: 2 }

/** It may ring before the backup or after it; in the copy it has rung once in the end. */
const RING_MS = 700

/** Orders without end, each after the one before has been acknowledged. */
function orders(system: System, gate: string): { readonly acknowledged: Record<string, number>; readonly ended: Promise<unknown> } {
  const acknowledged = Object.fromEntries(WORKSHOPS.map((key) => [key, 0]))
  const send = async (key: string): Promise<void> => {
    for (let n = 1; (await codeOf(system.actor(workshop, key).ask.order({ n, gate }))) === undefined; n += 1) acknowledged[key] = n
  }
  return { acknowledged, ended: Promise.all(WORKSHOPS.map(send)) }
}

async function untilAll(acknowledged: Readonly<Record<string, number>>, count: number): Promise<void> {
  await until(
    () => Object.values(acknowledged),
    (numbers) => Math.min(...numbers) >= count,
  )
}

test(
  'G2 a backup that is put in the place of its original has everything acknowledged before it; links, timers, turns and effects go on',
  { timeout: 60_000 },
  async () => {
    const place = makePlace()
    const { directory } = place
    mkdirSync(dirname(directory), { recursive: true })
    const [copy, gate] = [place.file('copy'), place.file('gate')]
    const original = await place.open(OPTIONS)
    const worker = original.actor(workshop, 'w0')
    await worker.ask.arm({ delayMs: RING_MS })
    await worker.tell.work({ gate })
    await until(
      () => linesOf(`${gate}.worked`),
      (lines) => lines.length === 1,
    )
    const sending = orders(original, gate)
    await untilAll(sending.acknowledged, 10)
    const before = { ...sending.acknowledged }

    const report = await original.backup(copy)
    expect(report).toMatchObject({ directory: copy, shards: 2 })
    expect(errorsIn(copy)).toEqual([])
    await untilAll(sending.acknowledged, Math.max(...Object.values(before)) + 5)
    rmSync(directory, { recursive: true })
    await sending.ended
    await original.close({ mode: 'now' })
    expect(linesOf(`${gate}.delivered`)).toEqual([])
    rmSync(directory, { recursive: true, force: true })
    renameSync(copy, directory)

    const system = await openSystem({ directory, ...OPTIONS })
    onTestFinished(async () => void (await system.close({ mode: 'now' })))
    const workshops = await Promise.all(WORKSHOPS.map((key) => system.actor(workshop, key).ask.read()))
    const lasts = Object.fromEntries(workshops.map(({ self, last }) => [self, last]))
    for (const [key, n] of Object.entries(before)) expect(lasts[key]).toBeGreaterThanOrEqual(n)
    for (const [key, n] of Object.entries(lasts)) expect(n).toBeLessThanOrEqual(sending.acknowledged[key] ?? 0)

    // What was on its way between the shards arrives, once.
    for (const key of LEDGERS) {
      const { violations } = await until(
        () => system.actor(ledger, key).ask.read(),
        ({ last }) => WORKSHOPS.every((sender) => last[sender] === lasts[sender]),
      )
      expect(violations).toEqual([])
    }

    // What was promised is kept, and what was under way goes on from where it was.
    writeFileSync(gate, '')
    const goesOn = system.actor(workshop, 'w0')
    await until(
      () => goesOn.ask.read(),
      ({ rings, heard }) => rings === 1 && heard.includes('work.done'),
    )
    expect(linesOf(`${gate}.worked`)).toEqual(['from 0', 'from 1'])
    for (const [index, key] of WORKSHOPS.entries()) {
      const n = workshops[index]?.last ?? 0
      await system.actor(workshop, key).ask.order({ n: n + 1, gate })
      const all = Array.from({ length: n + 1 }, (_none, each) => each + 1)
      await until(
        () => system.actor(workshop, key).ask.read(),
        ({ delivered }) => delivered.length >= all.length,
      )
      expect((await system.actor(workshop, key).ask.read()).delivered.toSorted((left, right) => left - right)).toEqual(all)
      expect(linesOf(`${gate}.delivered`).filter((line) => line.startsWith(`${key} `))).toHaveLength(all.length)
    }
    expect(await system.close()).toMatchObject({ outcome: 'polite' })
    expect(errorsIn(directory)).toEqual([])
    const reader = openReader(directory)
    expect(reader.promises({ kind: 'effect' })).toEqual([])
    reader.close()
  },
)
