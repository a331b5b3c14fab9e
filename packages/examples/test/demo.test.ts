/** The demo as a person meets it: a process of its own, on a directory of its own, killed and interrupted. */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { TestContext } from 'vitest'
import type { Summary, Told } from '../coordinator/summary.ts'

const program = fileURLToPath(new URL('../coordinator/demo.ts', import.meta.url))

type Cleaning = Pick<TestContext, 'onTestFinished'>

describe.concurrent('totals', () => {
  test('are the same after kills with -9 at random moments as without', { timeout: 120_000 }, async (context) => {
    const args = ['--rounds', '150', '--shards', '2', '--json', '--replay-only']
    const beside = finished(start(context, [...args, '--data', directory(context)]))
    const data = directory(context)
    const kills: number[] = []
    let last: Finished | undefined
    while (last?.code !== 0) {
      const demo = start(context, [...args, '--data', data])
      if (kills.length < 8) {
        const afterMs = 100 + Math.random() * 900
        kills.push(Math.round(afterMs))
        await Promise.race([delay(afterMs), once(demo, 'exit')])
        demo.kill('SIGKILL')
      }
      last = await finished(demo)
      expect([0, null], `${last.stderr}\nkilled after ${kills.join(', ')} ms`).toContain(last.code)
    }
    const undisturbed = await beside
    expect(undisturbed.code).toBe(0)
    expect(totalsOf(last), `killed after ${kills.join(', ')} ms`).toEqual(totalsOf(undisturbed))
  })

  test('of twice the rounds are the same in two runs as in one', { timeout: 120_000 }, async (context) => {
    const [data, atOnce] = [directory(context), directory(context)]
    expect((await finished(start(context, ['--rounds', '3', '--replay-only', '--data', data]))).code).toBe(0)
    const [inTwo, inOne] = await Promise.all(
      [data, atOnce].map(async (path) => await finished(start(context, ['--rounds', '6', '--replay-only', '--json', '--data', path]))),
    )
    if (inTwo === undefined || inOne === undefined) throw new Error('There are two.')
    expect(totalsOf(inTwo)).toEqual(totalsOf(inOne))
  })
})

describe.concurrent('the demo', () => {
  test('says in words what it did, and started again that it is done', { timeout: 120_000 }, async (context) => {
    const data = directory(context)
    const first = await finished(start(context, ['--rounds', '2', '--data', data]))
    expect(first).toMatchObject({ code: 0, stderr: '' })
    for (const words of [
      'Replayed 2 rounds',
      'each exactly once',
      'pull-request',
      'urgent  half within',
      'Scene 1',
      'parked for respond, provider killed',
      data,
    ])
      expect(first.stdout).toContain(words)
    const again = await finished(start(context, ['--rounds', '2', '--data', data]))
    expect(again).toMatchObject({ code: 0, stderr: '' })
    expect(again.stdout).toContain('All 2 rounds are on disk already')
    expect(again.stdout).toContain('Scene 2')
  })

  test.for([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'ends politely on %s, with exit code %i, and goes on from there',
    { timeout: 120_000 },
    async ([signal, exitCode], context) => {
      const data = directory(context)
      const demo = start(context, ['--rounds', '100000', '--data', data])
      await output(demo, 'Replaying')
      demo.kill(signal)
      const { code, stdout, stderr } = await finished(demo)
      expect({ code, stderr }).toEqual({ code: exitCode, stderr: '' })
      const rounds = /Stopped after ([\d,]+) round/.exec(stdout)?.[1]?.replaceAll(',', '')
      expect(rounds, stdout).toBeDefined()
      const next = await finished(start(context, ['--rounds', `${Number(rounds) + 1}`, '--replay-only', '--json', '--data', data]))
      expect(totalsOf(next)).toMatchObject({ rounds: Number(rounds) + 1 })
    },
  )

  test(
    'K22 killed with -9 in the middle of its scene goes on with it, and every message has its one answer',
    { timeout: 120_000 },
    async (context) => {
      const data = directory(context)
      const kills: number[] = []
      let last: Finished | undefined
      while (last?.code !== 0) {
        const demo = start(context, ['--rounds', '1', '--json', '--data', data])
        if (kills.length < 4) await errors(demo, 'of a provider session')
        // Read from the start: what a process leaves unread when it exits is lost.
        const ended = finished(demo)
        if (kills.length < 4) {
          // All of them together take less time than the scene.
          const afterMs = 50 + Math.random() * 600
          kills.push(Math.round(afterMs))
          await Promise.race([delay(afterMs), ended])
          demo.kill('SIGKILL')
        }
        last = await ended
        expect([0, null], `${last.stdout}${last.stderr}\nkilled after ${kills.join(', ')} ms`).toContain(last.code)
      }
      const { scene } = JSON.parse(last.stdout) as Told // Written by the same version of the demo.
      expect(scene, `killed after ${kills.join(', ')} ms`).toMatchObject({ scene: 1, isContinued: true, polite: { repliesPosted: 5 } })
      expect(readFileSync(join(data, 'replies.jsonl'), 'utf8').trim().split('\n')).toHaveLength(6)
    },
  )

  test('ends politely on Ctrl-C in the middle of its scene, and goes on with it', { timeout: 120_000 }, async (context) => {
    const data = directory(context)
    const demo = start(context, ['--rounds', '1', '--data', data])
    await output(demo, 'Scene 1')
    await delay(600)
    demo.kill('SIGINT')
    const { code, stdout, stderr } = await finished(demo)
    expect({ code, stderr }, stdout).toEqual({ code: 130, stderr: '' })
    expect(stdout).toContain('Stopped in the middle of the scene')
    const next = await finished(start(context, ['--rounds', '1', '--data', data]))
    expect(next, next.stdout).toMatchObject({ code: 0, stderr: '' })
    expect(next.stdout).toContain('Going on with scene 1')
  })

  test(
    'refuses a directory that another process has open: one line with its process id, exit code 1',
    { timeout: 120_000 },
    async (context) => {
      const data = directory(context)
      const first = start(context, ['--rounds', '100000', '--data', data])
      await output(first, 'Replaying')
      const second = await finished(start(context, ['--data', data]))
      expect(second).toMatchObject({ code: 1, stdout: '' })
      expect(second.stderr).toMatch(/^demo: .+\n$/)
      expect(second.stderr).toContain(String(first.pid))
    },
  )

  test.for(['--round 2', '--rounds many', '--rounds 0', '--rounds', 'surplus'])(
    'answers the options "%s" with one line and exit code 2',
    { timeout: 120_000 },
    async (options, context) => {
      const { code, stdout, stderr } = await finished(start(context, ['--data', directory(context), ...options.split(' ')]))
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toMatch(/^demo: .+ See --help\.\n$/)
    },
  )
})

interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A directory that goes when the test is over. */
function directory({ onTestFinished }: Cleaning): string {
  const path = mkdtempSync(join(tmpdir(), 'bailiwick-demo-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
  return path
}

/** Starts the demo; it does not outlive the test. */
function start({ onTestFinished }: Cleaning, args: readonly string[]): ChildProcess {
  const demo = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void demo.kill('SIGKILL'))
  return demo
}

async function finished(demo: ChildProcess): Promise<Finished> {
  const [stdout, stderr, code] = await Promise.all([textOf(demo.stdout), textOf(demo.stderr), exitOf(demo)])
  return { code, stdout, stderr }
}

async function exitOf(demo: ChildProcess): Promise<number | null> {
  if (demo.exitCode === null && demo.signalCode === null) await once(demo, 'exit')
  return demo.exitCode
}

async function textOf(stream: ChildProcess['stdout']): Promise<string> {
  let text = ''
  if (stream !== null) for await (const chunk of stream) text += String(chunk)
  return text
}

/** Waits for words on the standard output, and leaves them there to be read. */
async function output({ stdout }: ChildProcess, words: string): Promise<void> {
  await said(stdout, words)
}

/** The same on the standard error. */
async function errors({ stderr }: ChildProcess, words: string): Promise<void> {
  await said(stderr, words)
}

async function said(stream: ChildProcess['stdout'], words: string): Promise<void> {
  if (stream === null) throw new Error('It is not a pipe.')
  stream.setEncoding('utf8')
  let text = ''
  while (!text.includes(words)) {
    await once(stream, 'readable')
    const chunk: unknown = stream.read()
    if (typeof chunk === 'string') text += chunk
    else if (stream.readableEnded) throw new Error(`It has ended without "${words}".`)
  }
  stream.unshift(text)
}

function totalsOf({ stdout }: Finished): Summary['totals'] {
  const { totals } = JSON.parse(stdout) as Summary // Written by the same version of the demo.
  return totals
}
