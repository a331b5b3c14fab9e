/** Process groups: however a process ends, nothing of it stays, and nobody else is hit. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { nodeChildren } from '../../src/seams/node-children.ts'
import { identityOf, parsePs } from '../../src/seams/process-table.ts'
import {
  afterwards,
  contentOf,
  eventually,
  isRunning,
  newMarker,
  nextLine,
  node,
  shell,
  StaleForTest,
  TestJournal,
  world,
} from './support.ts'

/** Prints the pid of a grandchild that does not care for TERM, then its own word. */
const STUBBORN = `trap '' TERM; (trap '' TERM; while :; do sleep 60; done) & echo $!; echo ready; while :; do sleep 60; done`

describe('a process whose time is over', () => {
  test('A24 is ended with its grandchildren within the grace, and what it had printed is kept', async () => {
    const { manager, journal, ...rest } = world()
    const { scope } = rest.scope()
    const code = `sleep 60 & echo $!; while :; do echo again; sleep 0.01; done`
    const result = await scope.run(shell(code, { timeoutMs: 150, graceMs: 2_000 }))
    expect(result).toMatchObject({ reason: 'timed-out', signal: 'SIGTERM', exitCode: null })
    expect(result.durationMs).toBeLessThan(2_000)
    const [grandchild = ''] = result.stdout.text.split('\n')
    expect(isRunning(Number(grandchild))).toBe(false)
    const log = contentOf(result.stdout.files[0] ?? '').toString()
    expect(log).toBe(result.stdout.text)
    expect(log).toContain('again\nagain\n')
    expect(manager.running).toBe(0)
    expect(journal.rows.size).toBe(0)
  })

  test('A24 and does not care for TERM gets KILL after the grace, with all of its group', async () => {
    const { scope } = world().scope()
    const spawned = await scope.spawn(shell(STUBBORN, { timeoutMs: 200, graceMs: 150 }))
    const lines = spawned.lines()
    const grandchild = Number(await nextLine(lines))
    expect(await nextLine(lines)).toBe('ready')
    expect(isRunning(grandchild)).toBe(true)
    const result = await spawned.exited
    expect(result).toMatchObject({ reason: 'timed-out', signal: 'SIGKILL' })
    expect(result.durationMs).toBeGreaterThanOrEqual(345)
    expect(result.durationMs).toBeLessThan(3_000)
    expect([isRunning(spawned.pid), isRunning(grandchild)]).toEqual([false, false])
  })
})

describe('a leader that ends before its grandchildren', () => {
  test.each([
    ['that listens', 'sleep 60 & echo $!'],
    ['that does not care for TERM', `(trap '' TERM; echo armed; while :; do sleep 60; done) & echo $!; read line`],
    ['without our environment', `env -i /bin/sh -c 'trap "" TERM; echo armed; while :; do sleep 60; done' & echo $!; read line`],
    ['that holds none of its streams', 'sleep 60 >/dev/null 2>&1 </dev/null & echo $!'],
  ])('A24 takes one with it %s', async (_name, code) => {
    const { scope, manager } = withScope()
    const spawned = await scope.spawn(shell(code, { graceMs: 100 }))
    const lines = spawned.lines()
    const seen = [await nextLine(lines)]
    if (code.includes('armed')) seen.push(await nextLine(lines))
    const grandchild = Number(seen.find((line) => line !== 'armed'))
    spawned.end()
    expect(await spawned.exited).toMatchObject({ reason: 'exited', signal: null })
    expect(isRunning(grandchild)).toBe(false)
    expect(manager.running).toBe(0)
  })

  test('A24 is not waited for where somebody outside of the group holds its streams', async () => {
    const { scope } = withScope()
    const code = `
      const { spawn } = require('node:child_process')
      const outside = spawn('/bin/sleep', ['60'], { detached: true, stdio: ['ignore', 1, 2] })
      console.log(outside.pid)
      process.exit(3)
    `
    const result = await scope.run(node(code))
    const outside = Number(result.stdout.text)
    afterwards(() => void process.kill(outside, 'SIGKILL'))
    expect(result).toMatchObject({ reason: 'exited', exitCode: 3 })
    expect(isRunning(outside)).toBe(true)
  })
})

describe('the end of a scope', () => {
  test('ends what was started in it, refuses every call, and ends what follows lines', async () => {
    const { end, scope, manager } = withScope()
    const spawned = await scope.spawn(shell('echo there; sleep 60'))
    const lines = spawned.lines()
    expect(await nextLine(lines)).toBe('there')
    const run = scope.run(shell('sleep 60'))
    await eventually(() => manager.running === 2)
    const waiting = lines.next()
    end()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(await spawned.exited).toMatchObject({ reason: 'cancelled', signal: 'SIGTERM' })
    expect(await run).toMatchObject({ reason: 'cancelled' })
    await expect(spawned.send(1)).rejects.toBeInstanceOf(StaleForTest)
    await expect(spawned.stop()).rejects.toBeInstanceOf(StaleForTest)
    await expect(scope.run(shell('true'))).rejects.toBeInstanceOf(StaleForTest)
    await expect(scope.spawn(shell('true'))).rejects.toBeInstanceOf(StaleForTest)
    await expect(scope.session('s', shell('true'))).rejects.toBeInstanceOf(StaleForTest)
    expect(await spawned.lines().next()).toEqual({ done: true, value: undefined })
  })

  test('while a process is being noted down starts nothing, and leaves no note', async () => {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const journal = new TestJournal()
    const begin = journal.begin.bind(journal)
    journal.begin = async (detail) => {
      await promise
      return begin(detail)
    }
    const { scope, end, folder } = withScope(journal)
    const file = join(folder, 'was-here')
    const run = scope.run(shell(`echo x > ${file}`))
    end()
    resolve(undefined)
    expect(await run).toMatchObject({ reason: 'cancelled', pid: null })
    expect([journal.rows.size, existsSync(file)]).toEqual([0, false])
  })

  test('by force does not wait for the grace', async () => {
    const { scope } = withScope()
    const spawned = await scope.spawn(shell(STUBBORN, { graceMs: 60_000 }))
    const lines = spawned.lines()
    const grandchild = Number(await nextLine(lines))
    expect(await nextLine(lines)).toBe('ready')
    scope.kill()
    expect(await spawned.exited).toMatchObject({ reason: 'cancelled', signal: 'SIGKILL' })
    expect(isRunning(grandchild)).toBe(false)
  })
})

describe('the manager', () => {
  test('ends everything when it is closed, in the time that it is given, and starts nothing after it', async () => {
    const { scope, manager, journal } = withScope()
    const stubborn = await scope.spawn(shell(STUBBORN, { graceMs: 60_000 }))
    const lines = stubborn.lines()
    await nextLine(lines)
    await nextLine(lines)
    const session = await scope.session('s', shell('sleep 60'))
    expect(manager.running).toBe(2)
    await manager.close(100)
    expect([manager.running, journal.rows.size]).toEqual([0, 0])
    expect(await stubborn.exited).toMatchObject({ signal: 'SIGKILL' })
    expect(await session.exited).toMatchObject({ signal: 'SIGTERM' })
    await expect(scope.run(shell('true'))).rejects.toMatchObject({ code: 'SYSTEM_CLOSED' })
  })

  test('kills everything at once when it is stopped by force, and leaves the notes', async () => {
    const { scope, manager, journal } = withScope()
    const spawned = await scope.spawn(shell(STUBBORN))
    const lines = spawned.lines()
    const grandchild = Number(await nextLine(lines))
    manager.kill()
    await eventually(() => !isRunning(spawned.pid) && !isRunning(grandchild))
    expect([manager.running, journal.rows.size]).toEqual([0, 1])
    await spawned.exited
    expect(journal.rows.size).toBe(1)
  })

  test('has a durable note before the process exists, and its pid and identity after', async () => {
    const { scope, journal } = withScope()
    const spawned = await scope.spawn(shell('sleep 60'))
    const [first = '', second = ''] = journal.written
    const { marker } = JSON.parse(first) as { marker: string }
    expect(JSON.parse(second)).toEqual({ marker, pid: spawned.pid, identity: identityOf(spawned.pid) })
    await spawned.stop()
    expect(journal.rows.size).toBe(0)
  })

  test('starts a module of ours and exchanges messages with it', async () => {
    const { scope } = withScope()
    const messages: unknown[] = []
    const forked = await scope.fork(new URL('./fixtures/echo.ts', import.meta.url), (message) => messages.push(message))
    forked.post({ question: [1, 'ä'] })
    await eventually(() => messages.length > 0)
    expect(messages).toEqual([{ answer: { question: [1, 'ä'] } }])
    expect(await forked.stop()).toMatchObject({ reason: 'stopped' })
    forked.post('too late')
  })
})

describe('orphans', () => {
  test('A24 of an owner that was killed are ended by the next, with grandchildren and without a pid in the notes', async () => {
    const owner = spawn(process.execPath, [fileURLToPath(new URL('./fixtures/owner.ts', import.meta.url))], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    afterwards(() => void owner.kill('SIGKILL'))
    const output = createInterface({ input: owner.stdout })[Symbol.asyncIterator]()
    const { rows, pids } = JSON.parse(await nextLine(output)) as { rows: { sequence: number; detail: string }[]; pids: number[] }
    expect(pids).toHaveLength(4)
    owner.kill('SIGKILL')
    await once(owner, 'exit')
    expect(pids.map(isRunning)).toEqual([true, true, true, true])
    // The leader of the second group is gone as well: its grandchild is found by the marker alone.
    process.kill(pids[2] ?? 0, 'SIGKILL')
    await eventually(() => !isRunning(pids[2] ?? 0))
    const [first, second] = rows
    const { marker } = JSON.parse(second?.detail ?? '') as { marker: string }
    const { manager, journal, reports } = world()
    const given = [first, { sequence: 2, detail: JSON.stringify({ marker }) }].filter((row) => row !== undefined)
    for (const { sequence, detail } of given) journal.rows.set(sequence, detail)
    await manager.reap(given)
    expect(pids.map(isRunning)).toEqual([false, false, false, false])
    expect([reports, journal.rows.size]).toEqual([[], 0])
  })

  test('A24 of a worker thread that was terminated are ended by the next owner in the same process', async () => {
    const worker = new Worker(new URL('./fixtures/in-worker.ts', import.meta.url))
    afterwards(async () => void (await worker.terminate()))
    const [told] = (await once(worker, 'message')) as [
      { exitCode: number; line: string; pids: number[]; rows: { sequence: number; detail: string }[] },
    ]
    expect(told).toMatchObject({ exitCode: 1, line: '"hello"' })
    await worker.terminate()
    expect(told.pids.map(isRunning)).toEqual([true, true])
    const { manager, reports } = world()
    await manager.reap(told.rows)
    expect(told.pids.map(isRunning)).toEqual([false, false])
    expect([told.rows.length, reports]).toEqual([1, []])
  })

  test('A24 are not confused with somebody else who has their pid', async () => {
    const innocent = spawn('/bin/sleep', ['60'], { detached: true, stdio: 'ignore' })
    afterwards(() => void innocent.kill('SIGKILL'))
    await once(innocent, 'spawn')
    const { pid = 0 } = innocent
    const identity = identityOf(pid)
    const forged = [`${identity}0`, undefined, ''].map((other, sequence) => ({
      sequence,
      detail: JSON.stringify({ marker: newMarker(), pid, identity: other }),
    }))
    const { manager, reports } = world()
    await manager.reap([...forged, { sequence: 9, detail: 'no note' }, { sequence: 10, detail: '{"marker":1}' }])
    expect(isRunning(pid)).toBe(true)
    expect(reports).toHaveLength(2)
    // The same note with the right identity is enough, though nothing marks it.
    expect(await nodeChildren.endRemains([{ marker: newMarker(), pid, identity }])).toBe(1)
    await eventually(() => !isRunning(pid))
  })

  test('A24 are looked for among the answers of ps, where there is no /proc', () => {
    const text = [
      '    1     1 Ss   Sat Nov 21 14:02:11 2026     /sbin/launchd',
      '  713   712 R+   Sun Nov  1 09:00:00 2026     node x.js PATH=/bin BAILIWICK_PROCESS=abc-1 HOME=/x',
      '  714   712 Z    Sun Nov  1 09:00:00 2026     (node)',
    ].join('\n')
    expect(parsePs(text).map((entry) => ({ ...entry, marker: entry.marker() }))).toEqual([
      { pid: 1, group: 1, session: 1, hasEnded: false, identity: 'Sat Nov 21 14:02:11 2026', marker: undefined },
      { pid: 713, group: 712, session: 712, hasEnded: false, identity: 'Sun Nov 1 09:00:00 2026', marker: 'abc-1' },
      { pid: 714, group: 712, session: 712, hasEnded: true, identity: 'Sun Nov 1 09:00:00 2026', marker: undefined },
    ])
  })
})

function withScope(journal: TestJournal = new TestJournal()) {
  const made = world({ journal })
  return { ...made, journal, ...made.scope() }
}
