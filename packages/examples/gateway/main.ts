/**
 * The demo: starts the gateway and the load, kills the gateway again and again with -9, and checks what is left.
 * `node main.ts [--kills N] [--data DIRECTORY]`. Exit codes: 0 all is exact, 1 it is not.
 */
// oxlint-disable-next-line bailiwick/no-raw-imports -- this kills a service from outside, as a crash would.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
// oxlint-disable-next-line bailiwick/no-raw-imports -- how long a life lasts is the demo's business.
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { account, statementsOn } from './check.ts'
import type { Report } from './check.ts'
import { LIMIT, WINDOW_MS } from './gateway.actor.ts'

const LIFE_MIN_MS = 300
const LIFE_MAX_MS = 1_000

const { values } = parseArgs({ options: { kills: { type: 'string', default: '10' }, data: { type: 'string' } } })
const kills = Number(values.kills)
const directory = values.data ?? mkdtempSync(join(tmpdir(), 'gateway-'))

try {
  process.exitCode = (await run()) ? 0 : 1
} finally {
  if (values.data === undefined) rmSync(directory, { recursive: true, force: true })
}

async function run(): Promise<boolean> {
  let gateway = await startGateway(0)
  const { port } = gateway
  const url = `http://127.0.0.1:${port}`
  const load = spawn(process.execPath, [join(import.meta.dirname, 'load.ts'), url, directory], { stdio: ['pipe', 'pipe', 'inherit'] })
  const told = textOf(load)
  for (let kill = 1; kill <= kills; kill += 1) {
    await pause(LIFE_MIN_MS + Math.random() * (LIFE_MAX_MS - LIFE_MIN_MS))
    await end(gateway.child, 'SIGKILL')
    gateway = await startGateway(port)
  }
  await pause(LIFE_MAX_MS)
  load.stdin.end()
  const reports = JSON.parse(await told) as Report[] // Written by our own program.
  const isExact = await told1(reports, url)
  await end(gateway.child, 'SIGTERM')
  return isExact
}
