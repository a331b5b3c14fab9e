/** What processes print: bounded in memory and on disk, counted exactly, cut between characters. */
import { chmodSync, existsSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { safeName } from '../../src/processes/log-folder.ts'
import { contentOf, eventually, filesBelow, HandClock, isRunning, nextLine, node, shell, world } from './support.ts'

const NOTICE = 128

function fileText(files: readonly string[]): string {
  return Buffer.concat(files.map(contentOf)).toString('utf8')
}

describe('a child that closes its standard input early', () => {
  test.each([
    [0, 'exited'],
    [1, 'exited'],
  ])('A21 and exits with %i has ended so, and nothing else happens', async (code, reason) => {
    const { manager, reports, ...rest } = world()
    const { scope } = rest.scope()
    const input = { text: 'x'.repeat(2 ** 20) }
    const result = await scope.run(shell(`exec 0<&-; exit ${code}`, { input }))
    expect(result).toMatchObject({ reason, exitCode: code, signal: null })
    expect(reports).toEqual([])
    expect(manager.running).toBe(0)
  })

  test('A21 refuses what is sent to it, and lives on', async () => {
    const { scope } = world().scope()
    const spawned = await scope.spawn(shell('exec 0<&-; echo closed; sleep 60'))
    expect(await nextLine(spawned.lines())).toBe('closed')
    await expect(
      (async () => {
        for (;;) await spawned.send('x'.repeat(2 ** 16))
      })(),
    ).rejects.toMatchObject({ code: 'PROCESS_LOST' })
    expect(isRunning(spawned.pid)).toBe(true)
    expect(await spawned.stop()).toMatchObject({ reason: 'stopped', signal: 'SIGTERM' })
  })
})

describe('output beyond the limits', () => {
  test('A22 of 50 MB stays bounded on disk, does not block the child, and is counted exactly', async () => {
    const { scope } = world().scope()
    const code = `
      const line = Buffer.alloc(50_000, 'abcdefghi\\n')
      for (let i = 0; i < 1_000; i += 1) require('node:fs').writeSync(1, line)
      process.exitCode = 7
    `
    const spec = node(code, { limits: { logBytes: 2 ** 20, outputBytes: 2 ** 20, chunkBytes: 2 ** 18 } })
    const result = await scope.run(spec)
    expect(result).toMatchObject({ reason: 'exited', exitCode: 7 })
    expect(result.stdout).toMatchObject({ bytes: 50_000_000, droppedBytes: 50_000_000 - (2 ** 20 - NOTICE), isTruncated: true })
    expect(result.stdout.text).toMatch(/\n\[truncated: 48951552 more bytes were printed\]\n$/)
    expect(Buffer.byteLength(result.stdout.text)).toBeLessThanOrEqual(2 ** 20)
    expect(result.stderr).toEqual({ text: '', bytes: 0, droppedBytes: 0, isTruncated: false, files: [] })
    const text = fileText(result.stdout.files)
    expect(text.length).toBeLessThanOrEqual(2 ** 20)
    expect(text).toMatch(/\n\[truncated: the limit of 1048576 bytes is reached, the rest is not kept\]\n$/)
  })

  test('A22 takes no more memory, however much it is', async () => {
    const { scope } = world().scope()
    const before = process.memoryUsage().rss
    let most = 0
    const code = `
      const line = Buffer.alloc(100_000, 'abcdefghi\\n')
      for (let i = 0; i < 4_000; i += 1) require('node:fs').writeSync(1, line)
    `
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss)
    }, 5)
    const spec = node(code, { limits: { logBytes: 2 ** 20, outputBytes: 2 ** 20 }, secrets: { token: 'nothing' } })
    const result = await scope.run(spec).finally(() => clearInterval(watch))
    expect(result).toMatchObject({ exitCode: 0, stdout: { bytes: 400_000_000 } })
    // Far less than it printed; most of that is what the collector has not taken back yet.
    expect(most - before).toBeLessThan(150_000_000)
  })

  test.each([
    // printed, limit, kept
    ['exactly at', 'a'.repeat(72), 72],
    ['one below', 'a'.repeat(71), 71],
    ['one above', 'a'.repeat(73), 72],
    ['with a character that ends at', `${'a'.repeat(70)}ß`, 72],
    ['with a character across', `${'a'.repeat(71)}ß`, 71],
    ['with a wide character across', `${'a'.repeat(69)}😀b`, 69],
  ])('A23 output %s the effective limit', async (_name, printed, kept) => {
    const { scope } = world().scope()
    const limits = { outputBytes: 72 + NOTICE, logBytes: 72 + NOTICE }
    const { stdout } = await scope.run(node(`process.stdout.write(${JSON.stringify(printed)})`, { limits }))
    const bytes = Buffer.byteLength(printed)
    expect(stdout).toMatchObject({ bytes, droppedBytes: bytes - kept, isTruncated: bytes > kept })
    for (const text of [stdout.text, fileText(stdout.files)]) {
      const [beginning = ''] = text.split('\n[truncated')
      expect(Buffer.byteLength(beginning)).toBe(kept)
      expect(printed.startsWith(beginning)).toBe(true)
      expect(text.includes('[truncated')).toBe(bytes > kept)
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(72 + NOTICE)
    }
  })

  test.each([0, 1, 10, 127, 128])('A23 a limit of %i bytes, too small for the notice, cuts it or leaves it out', async (limit) => {
    const { scope, reports } = withLogs()
    const { stdout } = await scope.run(shell('printf äöü', { limits: { outputBytes: limit, logBytes: limit } }))
    expect(stdout).toMatchObject({ bytes: 6, droppedBytes: 6, isTruncated: true })
    expect(stdout.text).toBe('\n[truncated: 6 more bytes were printed]\n'.slice(0, limit))
    expect(fileText(stdout.files).length).toBeLessThanOrEqual(limit)
    expect(reports).toEqual([])
    const silent = await scope.run(shell('true', { limits: { outputBytes: limit, logBytes: limit } }))
    expect(silent.stdout).toMatchObject({ text: '', isTruncated: false })
  })

  test('A23 characters that arrive in parts, and bytes that are none, are kept as they are', async () => {
    const { scope } = world().scope()
    const code = `
      const write = (bytes) => new Promise((resolve) => process.stdout.write(Buffer.from(bytes), () => setTimeout(resolve, 20)))
      void write([0xf0, 0x9f]).then(() => write([0x98, 0x80, 0xff])).then(() => write([0xc3]))
    `
    const { stdout } = await scope.run(node(code))
    expect(stdout).toMatchObject({ bytes: 6, droppedBytes: 0, text: '😀\u{FFFD}\u{FFFD}' })
    expect(Buffer.concat(stdout.files.map(contentOf))).toEqual(Buffer.from([0xf0, 0x9f, 0x98, 0x80, 0xff, 0xc3]))
  })
})

describe('files', () => {
  test('A25 are numbered chunks of the given size, compressed once they are full, and readable for nobody else', async () => {
    const { scope, logs } = withLogs()
    const printed = 'äbc\n'.repeat(500)
    const { stdout } = await scope.run(node(`process.stdout.write(${JSON.stringify(printed)})`, { limits: { chunkBytes: 1_000 } }))
    expect(stdout.files.map((path) => basename(path))).toEqual(['stdout.0001.log.gz', 'stdout.0002.log.gz', 'stdout.0003.log'])
    expect(dirname(stdout.files[0] ?? '')).toBe(join(logs, safeName('actor/1'), '1'))
    expect(stdout.files.map((path) => contentOf(path).length)).toEqual([1_000, 1_000, 500])
    expect(fileText(stdout.files)).toBe(printed)
    for (const path of stdout.files) expect(statSync(path).mode & 0o777).toBe(0o600)
    for (const path of [logs, dirname(stdout.files[0] ?? '')]) expect(statSync(path).mode & 0o777).toBe(0o700)
    expect(filesBelow(logs).filter((path) => path.endsWith('.part'))).toEqual([])
  })

  test('A25 appear at the first output, and not without one', async () => {
    const { scope, logs } = withLogs()
    const silent = await scope.run(shell('true'))
    expect(silent.stdout.files).toEqual([])
    expect(existsSync(logs)).toBe(false)
    const result = await scope.run(shell('echo x >&2'))
    expect([result.stdout.files.length, result.stderr.files.length]).toEqual([0, 1])
  })

  test('A25 of processes that have ended are removed when their time is over, and not before', async () => {
    const clock = new HandClock()
    const { scope, logs } = withLogs(clock)
    const short = await scope.run(shell('echo short', { limits: { keepMs: 3_600_000 } }))
    const long = await scope.run(shell('echo long', { limits: { keepMs: 100 * 3_600_000 } }))
    const running = await scope.spawn(shell('echo running; sleep 60', { limits: { keepMs: 0 } }))
    expect(await nextLine(running.lines())).toBe('running')
    const [shortFile = '', longFile = ''] = [...short.stdout.files, ...long.stdout.files]
    clock.advance(3_600_000)
    expect(existsSync(shortFile)).toBe(true)
    clock.advance(3_600_000)
    await eventually(
      () => !existsSync(dirname(shortFile)),
      () => filesBelow(logs),
    )
    expect(existsSync(longFile)).toBe(true)
    // One that runs is not old, however often it is looked at.
    for (let round = 0; round < 3; round += 1) {
      const probe = await scope.run(shell('echo probe', { limits: { keepMs: 0 } }))
      clock.advance(3_600_000)
      await eventually(() => !existsSync(dirname(probe.stdout.files[0] ?? '')))
    }
    expect(filesBelow(logs).filter((path) => path.endsWith('.log')).length).toBe(2)
    await running.stop()
  })

  test('A25 that an earlier owner left behind are removed in their time too', async () => {
    const clock = new HandClock()
    const first = withLogs(clock)
    const left = await first.scope.spawn(shell('echo left; sleep 60', { limits: { keepMs: 1_000 } }))
    expect(await nextLine(left.lines())).toBe('left')
    first.manager.kill()
    const second = world({ clock, logFolder: first.logs })
    const meta = filesBelow(first.logs).find((path) => path.endsWith('.json')) ?? ''
    await eventually(() => !contentOf(meta).toString().includes('null'))
    clock.advance(3_600_000)
    await eventually(() => filesBelow(first.logs).length === 0)
    expect(second.reports).toEqual([])
  })

  test('A25 in a folder that cannot be written do not disturb the child, and it is reported once', async () => {
    const made = world()
    writeFileSync(made.logs, 'a file, and no folder')
    const { scope } = made.scope()
    const result = await scope.run(shell('echo one; echo two >&2; sleep 0.05; echo three', { limits: { outputBytes: 1_000 } }))
    expect(result).toMatchObject({ exitCode: 0, stdout: { text: 'one\nthree\n', bytes: 10, files: [] }, stderr: { bytes: 4, files: [] } })
    expect(made.reports).toHaveLength(1)
    chmodSync(made.logs, 0o600)
  })

  test('A25 of the same number as those of an earlier run are not mixed with them', async () => {
    const first = withLogs()
    const earlier = await first.scope.run(shell('echo earlier'))
    const second = world({ logFolder: first.logs })
    const later = await second.scope().scope.run(shell('echo later'))
    expect([fileText(earlier.stdout.files), fileText(later.stdout.files)]).toEqual(['earlier\n', 'later\n'])
  })

  test('A25 have a folder that no address can leave', () => {
    for (const address of ['..', '.', '', 'a/../../b', '\u0000', 'x'.repeat(500), '/etc']) {
      expect(safeName(address)).toMatch(/^[\w%-][\w%.-]*$/)
      expect(safeName(address).length).toBeLessThan(200)
    }
    expect(safeName('x'.repeat(500))).not.toBe(safeName('x'.repeat(501)))
  })
})

function withLogs(clock?: HandClock) {
  const made = world(clock === undefined ? {} : { clock })
  return { ...made, scope: made.scope().scope }
}
