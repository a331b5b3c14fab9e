/** Sessions: processes that stay from one turn to the next, until they are silent, idle or told to go. */
import { describe, expect, test } from 'vitest'
import type { SessionProcess, SessionSpec } from '../../src/definition/process.ts'
import { eventually, HandClock, isRunning, nextLine, shell, StaleForTest, world } from './support.ts'

/** Answers every line with a number that counts up, but not `silence`. */
const COUNTER = `n=0; while read line; do case "$line" in *silence*) ;; *) n=$((n+1)); echo "$n $line";; esac; done`
const counter = (rest: Partial<SessionSpec> = {}): SessionSpec => ({ ...shell(COUNTER), ...rest })

function withClock() {
  const clock = new HandClock()
  return { clock, ...world({ clock }) }
}

/** Sends something and waits for the answer. */
async function asked(session: SessionProcess, question: string): Promise<string> {
  const lines = session.lines()
  await session.send(question)
  const answer = await nextLine(lines)
  await lines.return?.()
  return answer
}

describe('a session', () => {
  test('is the same process in the next turn, while the handle of the turn before is refused', async () => {
    const { scope, manager } = world()
    const first = scope()
    const one = await first.scope.session('s', counter())
    expect(await asked(one, 'a')).toBe('1 "a"')
    const waiting = one.lines().next()
    first.end()
    expect(await waiting).toEqual({ done: true, value: undefined })
    await expect(one.send('b')).rejects.toBeInstanceOf(StaleForTest)
    await expect(one.stop()).rejects.toBeInstanceOf(StaleForTest)
    one.end()
    const two = await scope().scope.session('s', counter())
    expect([two.isFresh, two.id, two.pid]).toEqual([false, one.id, one.pid])
    expect(await asked(two, 'c')).toBe('2 "c"')
    expect(manager.running).toBe(1)
    expect(await two.stop()).toMatchObject({ reason: 'stopped' })
  })

  test('belongs to one actor and one name, and two calls at once start one', async () => {
    const { scope, manager } = world()
    const mine = scope('actor/1').scope
    const [one, same] = await Promise.all([mine.session('s', counter()), mine.session('s', counter())])
    expect([one.isFresh, same.isFresh, same.id]).toEqual([true, false, one.id])
    const other = await mine.session('t', counter())
    const theirs = await scope('actor/2').scope.session('s', counter())
    expect(new Set([one.pid, other.pid, theirs.pid]).size).toBe(3)
    manager.endSessions('actor/1')
    expect(await one.exited).toMatchObject({ reason: 'cancelled', signal: 'SIGKILL' })
    await other.exited
    expect(isRunning(theirs.pid)).toBe(true)
  })

  test('of another description replaces the one that is there', async () => {
    const { scope } = world().scope()
    const one = await scope.session('s', counter({ env: { A: '1', B: '2' } }))
    const alike = await scope.session('s', counter({ env: { B: '2', A: '1' }, input: { x: 1 }, idleMs: 5 }))
    expect(alike.id).toBe(one.id)
    const two = await scope.session('s', counter({ env: { A: '2' } }))
    expect([two.isFresh, isRunning(one.pid)]).toEqual([true, false])
    expect(await one.exited).toMatchObject({ reason: 'stopped' })
  })

  test('that dies is told to whoever sends or follows, and the next call starts a fresh one', async () => {
    const { scope } = world().scope()
    const one = await scope.session('s', shell('echo up; read line; echo bye; exit 3'))
    const lines = one.lines()
    expect(await nextLine(lines)).toBe('up')
    await one.send('go')
    expect(await nextLine(lines)).toBe('bye')
    await expect(lines.next()).rejects.toMatchObject({ code: 'PROCESS_LOST', what: 'sh', reason: 'it exited with code 3' })
    expect(await lines.next()).toEqual({ done: true, value: undefined })
    await expect(one.send('more')).rejects.toMatchObject({ code: 'PROCESS_LOST', reason: 'it exited with code 3' })
    await expect(one.lines().next()).rejects.toMatchObject({ code: 'PROCESS_LOST' })
    const two = await scope.session('s', shell('echo up; read line; echo bye; exit 3'))
    expect(two.isFresh).toBe(true)
    expect(two.id).not.toBe(one.id)
  })

  test('that cannot be started is lost, and leaves nothing behind', async () => {
    const { scope, journal, manager, ...rest } = world()
    const made = scope().scope
    await expect(made.session('s', { command: '/nowhere/at/all' })).rejects.toMatchObject({ code: 'PROCESS_LOST', what: 'all' })
    expect((await made.session('s', counter())).isFresh).toBe(true)
    expect([journal.rows.size, manager.running, rest.reports]).toEqual([1, 1, []])
  })
})

describe('the watchdog of a session', () => {
  test('ends one that was sent something and says nothing', async () => {
    const { clock, ...rest } = withClock()
    const { scope } = rest.scope()
    const session = await scope.session('s', counter({ noReplyMs: 1_000 }))
    const lines = session.lines()
    await session.send('silence')
    clock.advance(999)
    expect(isRunning(session.pid)).toBe(true)
    clock.advance(1)
    expect(await session.exited).toMatchObject({ reason: 'timed-out' })
    await expect(lines.next()).rejects.toMatchObject({ code: 'PROCESS_LOST' })
    expect((await scope.session('s', counter())).isFresh).toBe(true)
  })

  test('counts from the last thing that was sent, and no more once it has said anything', async () => {
    const { clock, ...rest } = withClock()
    const { scope } = rest.scope()
    const session = await scope.session('s', counter({ noReplyMs: 1_000 }))
    await session.send('silence')
    clock.advance(900)
    await session.send('silence')
    clock.advance(900)
    expect(isRunning(session.pid)).toBe(true)
    expect(await asked(session, 'a')).toBe('1 "a"')
    clock.advance(1_000_000)
    expect(await asked(session, 'b')).toBe('2 "b"')
  })

  test('leaves alone one that is idle, and one that never stops talking', async () => {
    const { clock, ...rest } = withClock()
    const { scope } = rest.scope()
    const idle = await scope.session('idle', counter({ noReplyMs: 1_000 }))
    clock.advance(100_000)
    expect(await asked(idle, 'a')).toBe('1 "a"')
    const stream = await scope.session('stream', { ...shell('while :; do echo x; sleep 0.01; done'), noReplyMs: 1_000 })
    const lines = stream.lines()
    await stream.send('go')
    for (let round = 0; round < 20; round += 1) {
      await nextLine(lines)
      clock.advance(900)
    }
    expect(isRunning(stream.pid)).toBe(true)
  })

  test('ends one without a turn after its idle time, which a turn interrupts', async () => {
    const { clock, scope } = withClock()
    const first = scope()
    const overlapping = scope()
    const session = await first.scope.session('s', counter({ idleMs: 1_000 }))
    clock.advance(5_000)
    first.end()
    clock.advance(5_000)
    overlapping.end()
    clock.advance(999)
    const second = scope()
    clock.advance(5_000)
    expect((await second.scope.session('s', counter({ idleMs: 2_000 }))).id).toBe(session.id)
    second.end()
    clock.advance(1_999)
    expect(isRunning(session.pid)).toBe(true)
    clock.advance(1)
    expect(await session.exited).toMatchObject({ reason: 'stopped', signal: 'SIGTERM' })
    await eventually(() => !isRunning(session.pid))
  })
})
