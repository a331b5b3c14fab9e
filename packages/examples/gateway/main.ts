/**
 * The demo: starts the gateway and the load, kills the gateway again and again with -9, and checks what is left.
 * `node main.ts [--kills N] [--data DIRECTORY]`. Exit codes: 0 all is exact, 1 it is not.
 */
// oxlint-disable-next-line bailiwick/no-raw-imports -- this kills a service from outside, as a crash would.
import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
// oxlint-disable-next-line bailiwick/no-raw-imports -- how long a life lasts is the demo's business.
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { account, statementsOn } from './check.ts'
import type { Report, Statement } from './check.ts'
import { LIMIT, WINDOW_MS } from './gateway.actor.ts'

const LIFE_MIN_MS = 300
const LIFE_MAX_MS = 1_000

const { values } = parseArgs({ options: { kills: { type: 'string', default: '10' }, data: { type: 'string' } } })
const kills = Number(values.kills)
const directory = values.data ?? mkdtempSync(join(tmpdir(), 'gateway-'))
const started: ChildProcessByStdio<null, Readable, null>[] = []

try {
  process.exitCode = (await run()) ? 0 : 1
} finally {
  for (const child of started) child.kill('SIGKILL')
  if (values.data === undefined) rmSync(directory, { recursive: true, force: true })
}

async function run(): Promise<boolean> {
  const port = await startGateway(0)
  const url = `http://127.0.0.1:${port}`
  const load = spawn(process.execPath, [join(import.meta.dirname, 'load.ts'), url, directory], { stdio: ['pipe', 'pipe', 'inherit'] })
  const report = text(load.stdout)
  for (let kill = 1; kill <= kills; kill += 1) {
    await pause(LIFE_MIN_MS + Math.random() * (LIFE_MAX_MS - LIFE_MIN_MS))
    await killGateway()
    await startGateway(port)
  }
  await pause(LIFE_MAX_MS)
  load.stdin.end()
  const reports = JSON.parse(await report) as readonly Report[] // Written by our own program.
  return await tell(url, reports)
}

/** Starts the gateway; answers the port on which it listens. */
async function startGateway(port: number): Promise<number> {
  const args = [join(import.meta.dirname, 'server.ts'), directory, String(port)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  started.push(child)
  for await (const line of createInterface(child.stdout)) {
    const [, found] = /^listening on (\d+)$/.exec(line) ?? []
    if (found !== undefined) return Number(found)
  }
  throw new Error('The gateway has ended before it listened.')
}

async function killGateway(): Promise<void> {
  const gateway = started.at(-1)
  if (gateway === undefined) return
  const exited = once(gateway, 'exit')
  gateway.kill('SIGKILL')
  await exited
}

/** Prints what was seen and what must hold. Answers whether all of it does. */
async function tell(url: string, reports: readonly Report[]): Promise<boolean> {
  const sum = (of: (report: Report) => number): number => reports.reduce((total, report) => total + of(report), 0)
  console.log(
    `${sum(({ requests }) => requests)} requests, ${kills} kills: ${sum(({ denied }) => denied)} denied by the limit, ` +
      `${sum(({ unknown }) => unknown)} with an outcome that was not known, repeated`,
  )
  const headers = { authorization: `Bearer ${readFileSync(join(directory, 'operator.token'), 'utf8')}` }
  const statements: Statement[] = []
  for (const report of reports) {
    const response = await fetch(`${url}/${report.customer}/account`, { headers })
    statements.push(...statementsOn(report, account.parse(await response.json()), LIMIT, WINDOW_MS))
  }
  for (const { text: claim, holds } of statements) console.log(`${holds ? 'ok   ' : 'WRONG'} ${claim}`)
  const isExact = statements.every(({ holds }) => holds)
  console.log(isExact ? 'Limits exact, nothing created twice, no budget overdrawn.' : 'Not exact.')
  return isExact
}
