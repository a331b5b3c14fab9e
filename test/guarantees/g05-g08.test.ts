/** Guarantees G5, G6 and G8 on real threads, SQLite files and processes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ledger } from '../fixtures/ledger.actor.ts'
import { codeOf, makePlace, until } from '../fixtures/place.ts'
import { probe } from '../fixtures/probe.actor.ts'

interface OwnerLine {
  readonly pid: number
  readonly epoch: number
  readonly code?: string
  readonly since?: string
}

/** Starts a process that opens the directory; answers what it says, and how to kill it. */
async function startOwner(directory: string): Promise<{ readonly line: OwnerLine; readonly kill: () => Promise<void> }> {
  const child = spawn(process.execPath, [`${import.meta.dirname}/../fixtures/owner.ts`, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  onTestFinished(() => void child.kill('SIGKILL'))
  const [line]: readonly unknown[] = await once(createInterface({ input: child.stdout }), 'line')
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
  }
  return { line: JSON.parse(String(line)) as OwnerLine, kill }
}

describe('G5 commands of one sender and priority are handled in the order sent', () => {
  test('G5 also while the actor keeps leaving memory', async () => {
    const { open } = makePlace()
    const system = await open({ limits: { residentActors: 1 } })
    const keys = ['a', 'b', 'c', 'd']
    for (let n = 1; n <= 60; n += 1) {
      await Promise.all(keys.map((key) => system.actor(ledger, key).ask.enter({ sender: 's', n })))
    }
    const states = await Promise.all(keys.map((key) => system.actor(ledger, key).ask.read()))
    expect(states).toEqual(keys.map(() => ({ last: { s: 60 }, violations: [] })))
    expect(system.stats().passivations).toBeGreaterThan(50)
  })

  test('G5 with asks and tells mixed, many in flight', async () => {
    const { open } = makePlace()
    const ref = (await open({ limits: { batchCommands: 5 } })).actor(ledger, 'a')
    await Promise.all(
      Array.from({ length: 500 }, (_none, index) => (index % 3 === 0 ? ref.tell : ref.ask).enter({ sender: 's', n: index + 1 })),
    )
    const state = await until(
      () => ref.ask.read(),
      ({ last }) => last['s'] === 500,
    )
    expect(state.violations).toEqual([])
  })
})

describe('G6 a more urgent command overtakes', () => {
  test('G6 every less urgent one that waits', async () => {
    const { open } = makePlace()
    const ref = (await open({ limits: { batchCommands: 10 } })).actor(probe, 'a')
    const order: string[] = []
    const normal = Array.from({ length: 400 }, (_none, index) => ref.ask.mark({ text: `n${index}` }).then(() => order.push('normal')))
    const low = ref.ask.mark({ text: 'low' }, { priority: 'low' })
    const urgent = ref.ask.mark({ text: 'urgent' }, { priority: 'urgent' })
    await Promise.all([...normal, urgent, low])
    const marks = await ref.ask.marks()
    expect(marks[0]).toBe('urgent')
    // After 64 more urgent commands the low one has its turn, and it is not overtaken once more than that.
    expect(marks.indexOf('low')).toBe(64)
  })

  test('G6 urgent work for one actor overtakes what waits for the others', async () => {
    const { open } = makePlace()
    const system = await open({ limits: { batchCommands: 10 } })
    const answered: string[] = []
    const crowd = Array.from({ length: 900 }, (_none, index) =>
      system
        .actor(ledger, `k${index}`)
        .ask.enter({ sender: 's', n: 1 })
        .then(() => answered.push('crowd')),
    )
    const urgent = system
      .actor(probe, 'u')
      .ask.mark({ text: 'x' }, { priority: 'urgent' })
      .then(() => answered.push('urgent'))
    await Promise.all([...crowd, urgent])
    expect(answered.indexOf('urgent')).toBeLessThan(20)
  })
})

describe('G8 at most one owner at any moment', () => {
  test('G8 a second process is refused, and told who owns the directory and since when', async () => {
    const { directory, open } = makePlace()
    const system = await open()
    const { line } = await startOwner(directory)
    expect(line).toMatchObject({ code: 'DIRECTORY_IN_USE', pid: process.pid, epoch: 1 })
    expect(Math.abs(Date.now() - Date.parse(line.since ?? ''))).toBeLessThan(60_000)
    await system.close()
  })

  test('G8 the same process is refused too', async () => {
    const { open } = makePlace()
    await open()
    expect(await codeOf(open())).toBe('DIRECTORY_IN_USE')
  })

  test('G8 after kill −9 of the owner the next one is in at once, with the next epoch', async () => {
    const { directory, open } = makePlace()
    for (let epoch = 1; epoch <= 3; epoch += 1) {
      const owner = await startOwner(directory)
      expect(owner.line.epoch).toBe(epoch)
      expect(await codeOf(open())).toBe('DIRECTORY_IN_USE')
      await owner.kill()
    }
    const system = await open()
    expect(system.stats().epoch).toBe(4)
    expect(await system.actor(probe, 'a').ask.mark({ text: 'x' })).toBe(1)
  })
})
