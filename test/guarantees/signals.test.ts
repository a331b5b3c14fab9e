/** Closing on a signal, in programs of their own: only when asked, politely on the first one, at once on the second. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ledger } from '../fixtures/ledger.actor.ts'
import { makePlace, until } from '../fixtures/place.ts'

const PROGRAM = fileURLToPath(new URL('../fixtures/signalled.ts', import.meta.url))

interface Program {
  readonly child: ChildProcess
  readonly lines: () => readonly string[]
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>
}

/** Starts the program; resolves once it is open. */
async function start(directory: string, way: string): Promise<Program> {
  const child = spawn(process.execPath, [PROGRAM, directory, way], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  const ended = new Promise<{ readonly code: number | null; readonly signal: string | null }>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }))
  })
  const lines = (): readonly string[] => text.split('\n').slice(0, -1)
  await until(lines, (seen) => seen.some((line) => line.startsWith('open')))
  return { child, lines, ended }
}

async function untilSaid({ lines }: Program, line: string): Promise<void> {
  await until(lines, (seen) => seen.includes(line))
}

describe.skipIf(process.platform === 'win32')('G13 a signal', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s closes politely, and then ends the process as it would have without a system',
    async (signal) => {
      const { directory, open } = makePlace()
      const program = await start(directory, 'busy')
      await untilSaid(program, 'entered 20')
      program.child.kill(signal)
      expect(await program.ended).toEqual({ code: null, signal })
      expect(program.lines().filter((line) => !line.startsWith('entered'))).toEqual(['open 1 1', 'closing on a signal', 'system closed'])
      const count = program.lines().filter((line) => line.startsWith('entered')).length
      const { last, violations } = await (await open()).actor(ledger, 'a').ask.read()
      expect(violations).toEqual([])
      expect(last['s']).toBeGreaterThanOrEqual(count)
    },
  )

  test('that comes again ends what does not end by itself, at once', async () => {
    const { directory } = makePlace()
    const program = await start(directory, 'hangs')
    program.child.kill('SIGTERM')
    await untilSaid(program, 'closing on a signal')
    program.child.kill('SIGINT')
    // The first one says how the process ends.
    expect(await program.ended).toEqual({ code: null, signal: 'SIGTERM' })
    expect(program.lines().slice(1)).toEqual([
      'closing on a signal',
      'closing at once on a signal',
      expect.stringMatching(/SYSTEM_CLOSED|system closed/),
      expect.stringMatching(/SYSTEM_CLOSED|system closed/),
    ])
  })

  test('has the time that the options give it, and no more', async () => {
    const { directory } = makePlace()
    const program = await start(directory, 'short')
    program.child.kill('SIGTERM')
    expect(await program.ended).toEqual({ code: null, signal: 'SIGTERM' })
    expect(program.lines()).toContain('SYSTEM_CLOSED')
  })

  test.each(['shared', 'shared-once'])(
    'that the program listens for too is not sent again: the program ends as it likes (%s)',
    async (way) => {
      const { directory } = makePlace()
      const program = await start(directory, way)
      program.child.kill('SIGTERM')
      expect(await program.ended).toEqual({ code: 0, signal: null })
      expect(program.lines()).toEqual(['open 2 1', 'closing on a signal', 'heard', 'system closed'])
    },
  )

  test('closes every system before it ends the process', async () => {
    const { directory } = makePlace()
    const program = await start(directory, 'two')
    program.child.kill('SIGTERM')
    expect(await program.ended).toEqual({ code: null, signal: 'SIGTERM' })
    expect(program.lines().filter((line) => line === 'system closed')).toHaveLength(2)
  })

  test('is given back by a system that is closed', async () => {
    const { directory } = makePlace()
    const program = await start(directory, 'closed')
    expect(program.lines()).toEqual(['system closed', 'open 0 0'])
    program.child.kill('SIGTERM')
    expect(await program.ended).toEqual({ code: null, signal: 'SIGTERM' })
  })

  test('is nobody’s business unless it was asked for', async () => {
    const { directory } = makePlace()
    const program = await start(directory, 'unasked')
    expect(program.lines()).toEqual(['open 0 0'])
    program.child.kill('SIGINT')
    expect(await program.ended).toEqual({ code: null, signal: 'SIGINT' })
    expect(program.lines()).toEqual(['open 0 0'])
  })
})
