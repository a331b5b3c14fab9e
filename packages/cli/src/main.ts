#!/usr/bin/env node
/**
 * The command line `bailiwick`, as a process: its arguments, its terminal, its clock, its exit code.
 */
import * as modules from 'node:module'
import type { World } from './command.ts'

// Before everything else is loaded: most of the time that a command takes is compiling what it needs.
// An old Node.js cannot keep it; the kernel refuses that one with a line of its own.
if ('enableCompileCache' in modules) modules.enableCompileCache()
const { runCli } = await import('./cli.ts')
const { Interrupted } = await import('./failure.ts')

// Whoever reads the output may leave when it has seen enough: `| head`.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

const world: World = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  print: (text) => void process.stdout.write(text),
  warn: (text) => void process.stderr.write(text),
  columns: columnsOf(process.env['COLUMNS']) ?? (process.stdout.isTTY ? process.stdout.columns : undefined),
  isColored: process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === '',
  isDebugging: process.env['BAILIWICK_DEBUG'] === '1',
  interruption,
}

/**
 * From here on the first signal that wants to end the process fires this one instead; a second one ends it. Only for what does not
 * block the event loop: everything else ends at once, as usual.
 */
function interruption(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort(new Interrupted(name)))
  return controller.signal
}

/** The width that the environment wishes for; `undefined` if it does not say. */
function columnsOf(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,4}$/.test(text) ? Number(text) : undefined
}

process.exitCode = await runCli(process.argv.slice(2), world)
