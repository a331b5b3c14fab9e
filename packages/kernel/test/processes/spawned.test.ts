/** Talking with a process, following its lines, and descriptions that are refused. */
import { describe, expect, test } from 'vitest'
import type { ProcessSpec } from '../../src/definition/process.ts'
import { Lines } from '../../src/processes/followers.ts'
import { forkOptions } from '../../src/processes/fork.ts'
import { nextLine, node, readAll, shell, world } from './support.ts'

describe('a spawned process', () => {
  test('gets its parameters, then what is sent, and ends when its standard input does', async () => {
    const { scope } = world().scope()
    const spawned = await scope.spawn(shell('cat', { input: { a: 1, gone: undefined }, env: { X: 'y' } }))
    const lines = spawned.lines()
    await spawned.send({ text: 'ä\n' })
    expect([await nextLine(lines), await nextLine(lines)]).toEqual(['{"a":1}', '{"text":"ä\\n"}'])
    spawned.end()
    expect(await lines.next()).toEqual({ done: true, value: undefined })
    expect(await spawned.exited).toMatchObject({ reason: 'exited', exitCode: 0, pid: spawned.pid })
    await expect(spawned.send(1)).rejects.toMatchObject({ code: 'PROCESS_LOST', what: 'sh', reason: 'it exited with code 0' })
    expect(await spawned.stop()).toMatchObject({ reason: 'exited' })
    expect(await spawned.lines().next()).toEqual({ done: true, value: undefined })
  })

  test('that is ended by somebody else was signaled', async () => {
    const { scope } = world().scope()
    const spawned = await scope.spawn(shell('sleep 60'))
    process.kill(spawned.pid, 'SIGKILL')
    expect(await spawned.exited).toMatchObject({ reason: 'signaled', signal: 'SIGKILL', exitCode: null })
  })

  test('has the few variables, its own, and none of ours', async () => {
    process.env['NOT_FOR_CHILDREN'] = 'x'
    const { scope } = world().scope()
    const { stdout } = await scope.run(shell('env', { env: { MINE: 'yes', LANG: 'C' }, cwd: '/' }))
    delete process.env['NOT_FOR_CHILDREN']
    const names = stdout.text.split('\n').map((line) => line.split('=')[0])
    expect(names).toEqual(expect.arrayContaining(['PATH', 'MINE', 'LANG', 'BAILIWICK_PROCESS']))
    expect(names).not.toContain('NOT_FOR_CHILDREN')
    expect(stdout.text).toContain('LANG=C\n')
  })

  test('has no line on its standard input if there are no parameters', async () => {
    const { scope } = world().scope()
    expect((await scope.run(shell('cat'))).stdout.bytes).toBe(0)
    expect((await scope.run(shell('cat', { input: {} }))).stdout.text).toBe('{}\n')
  })

  test.each([
    [{ command: '/nowhere/at/all' }, /ENOENT/],
    [{ command: '/' }, /EACCES/],
    [{ command: 'true', cwd: '/nowhere/at/all' }, /working directory of true does not exist/],
  ])('%j never begins: run says so, spawn rejects', async (spec, error) => {
    const { journal, ...rest } = world()
    const { scope } = rest.scope()
    expect(await scope.run(spec)).toMatchObject({ reason: 'not-started', pid: null, exitCode: null, error: expect.stringMatching(error) })
    await expect(scope.spawn(spec)).rejects.toMatchObject({ code: 'PROCESS_LOST', message: expect.stringMatching(error) })
    expect(journal.rows.size).toBe(0)
  })
})

describe('a description', () => {
  const wrong: [field: string, spec: unknown][] = [
    ['', null],
    ['', []],
    ['command', {}],
    ['command', { command: '' }],
    ['command', { command: 'a\0b' }],
    ['shell', { command: 'x', shell: true }],
    ['noReplyMs', { command: 'x', noReplyMs: 1 }],
    ['args', { command: 'x', args: 'y' }],
    ['args.1', { command: 'x', args: ['y', 2] }],
    ['cwd', { command: 'x', cwd: 1 }],
    ['env.A', { command: 'x', env: { A: 1 } }],
    ['env', { command: 'x', env: { 'A=B': 'x' } }],
    ['env.BAILIWICK_PROCESS', { command: 'x', env: { BAILIWICK_PROCESS: 'x' } }],
    ['input', { command: 'x', input: 'y' }],
    ['input.a.0', { command: 'x', input: { a: [new Map()] } }],
    ['secrets', { command: 'x', secrets: ['y'] }],
    ['timeoutMs', { command: 'x', timeoutMs: -1 }],
    ['graceMs', { command: 'x', graceMs: Number.NaN }],
    ['limits', { command: 'x', limits: 1 }],
    ['limits.bytes', { command: 'x', limits: { bytes: 1 } }],
    ['limits.logBytes', { command: 'x', limits: { logBytes: -1 } }],
    ['limits.chunkBytes', { command: 'x', limits: { chunkBytes: 0 } }],
    ['limits.keepMs', { command: 'x', limits: { keepMs: '1' } }],
    ['limits.outputBytes', { command: 'x', limits: { outputBytes: 1.5 } }],
  ]

  test.each(wrong)('that is wrong is refused with its field: %s', async (field, spec) => {
    const { scope } = world().scope()
    const given = spec as ProcessSpec // It is none, which is what this is about.
    await expect(scope.run(given)).rejects.toMatchObject({ code: 'INVALID_INPUT', operation: 'process.run', field })
    await expect(scope.spawn(given)).rejects.toMatchObject({ code: 'INVALID_INPUT', operation: 'process.spawn', field })
  })

  test('of a session is refused with its field, and so is its name', async () => {
    const { scope } = world().scope()
    await expect(scope.session('s', { command: 'x', idleMs: -1 })).rejects.toMatchObject({ operation: 'process.session', field: 'idleMs' })
    await expect(scope.session('', { command: 'x' })).rejects.toMatchObject({ operation: 'process.session', field: 'name' })
  })
})

describe('followers', () => {
  test('each have a queue of their own, and get what comes after they began', async () => {
    const { scope } = world().scope()
    const spawned = await scope.spawn(shell('cat; echo last; printf unended'))
    const early = spawned.lines()
    await spawned.send(1)
    expect(await nextLine(early)).toBe('1')
    const late = spawned.lines()
    await spawned.send(2)
    spawned.end()
    expect(await Promise.all([readAll(early), readAll(late)])).toEqual([
      ['2', 'last', 'unended'],
      ['2', 'last', 'unended'],
    ])
  })

  test('of the other stream get the other stream', async () => {
    const { scope } = world().scope()
    const spawned = await scope.spawn(node('console.log(1); console.error(2)'))
    expect(await nextLine(spawned.lines('stderr'))).toBe('2')
    await spawned.exited
  })

  test('that fall behind lose the oldest lines and are told how many', async () => {
    const lines = new Lines()
    const follower = lines.follow(() => undefined)
    for (let count = 0; count < 25_003; count += 1) lines.push(Buffer.from(`${count}\n`))
    lines.end(undefined)
    const read = await readAll(follower)
    expect(read.slice(0, 2)).toEqual(['[15003 lines were lost here: they came faster than they were read]', '15003'])
    expect([read.length, read.at(-1)]).toEqual([10_001, '25002'])
  })

  test('get a line that is too long in pieces, and no character in two', async () => {
    const lines = new Lines()
    const follower = lines.follow(() => undefined)
    const text = `${'a'.repeat(2 ** 20 - 1)}😀${'b'.repeat(10)}`
    lines.push(Buffer.from(text))
    lines.push(Buffer.from('\r\nnext\n'))
    lines.end(undefined)
    const read = await readAll(follower)
    expect(read.map(({ length }) => length)).toEqual([2 ** 20 - 1, 12, 4])
    expect(read.slice(0, 2).join('')).toBe(text)
  })

  test('that leave get nothing more, and hold nobody up', async () => {
    let left = 0
    const lines = new Lines()
    const follower = lines.follow(() => {
      left += 1
    })
    lines.push(Buffer.from('one\ntwo\n'))
    expect(await nextLine(follower)).toBe('one')
    await follower.return()
    expect(await follower.next()).toEqual({ done: true, value: undefined })
    lines.end(undefined)
    expect(left).toBe(1)
  })
})

test('a fork loads modules as this program does', () => {
  const given = [
    '--inspect',
    '--import',
    './x.ts',
    '--conditions=dev',
    '-e',
    'code',
    '-r',
    'y',
    '--max-old-space-size=9',
    '--experimental-x',
  ]
  expect(forkOptions(given)).toEqual(['--import', './x.ts', '--conditions=dev', '-r', 'y', '--experimental-x'])
})
