/** Ten minutes of the mixed load at a fixed rate: what stays flat. `BAILIWICK_SOAK_MS` says how long it takes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { startReceiver } from './campaign.ts'
import type { Sample } from './soak-program.ts'

const SOAK_MS = Number(process.env['BAILIWICK_SOAK_MS'] ?? 600_000)

const MB = 1_024 * 1_024

/** How much more the last tenth may show than the second: a factor, and what is added for noise. */
const TOLERANCES = {
  heap: { factor: 1.1, more: 4 * MB },
  // What the allocators of four threads hold on to takes minutes to fill, and then stays.
  rss: { factor: 1.2, more: 64 * MB },
  files: { factor: 1.1, more: 1 * MB },
  p50Ms: { factor: 1.5, more: 2 },
  p99Ms: { factor: 2, more: 50 },
} as const

test(`${SOAK_MS / 1_000} s of mixed load: memory, files and latency do not grow`, { timeout: SOAK_MS + 300_000 }, async () => {
  const root = mkdtempSync(join(tmpdir(), 'bailiwick-soak-'))
  const receiver = await startReceiver(root)
  const program = join(import.meta.dirname, 'soak-program.ts')
  const child = spawn(process.execPath, ['--expose-gc', program, root, receiver.url, String(SOAK_MS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
    receiver.end()
    rmSync(root, { recursive: true, force: true })
  })
  const samples: Sample[] = []
  createInterface({ input: child.stdout }).on('line', (line) => samples.push(JSON.parse(line) as Sample)) // Printed by the program.
  const [code]: readonly unknown[] = await once(child, 'close')
  console.log(tableOf(samples))

  expect(code).toBe(0)
  expect(samples.flatMap(({ complaints }) => complaints)).toEqual([])
  const [, second] = samples
  const last = samples.at(-1)
  if (second === undefined || last === undefined) throw new Error('There are no samples.')
  for (const [name, { factor, more }] of Object.entries(TOLERANCES)) {
    const measure = name as keyof typeof TOLERANCES // The names of that object.
    expect(last[measure], `${name}, which was ${second[measure]} in the second tenth`).toBeLessThanOrEqual(second[measure] * factor + more)
  }
  // As much was done in the end as in the beginning.
  expect(last.acknowledged).toBeGreaterThan(second.acknowledged * 0.5)
})

function tableOf(samples: readonly Sample[]): string {
  const inMb = (bytes: number): string => (bytes / MB).toFixed(1)
  const rows = samples.map(({ tenth, acknowledged, p50Ms, p99Ms, heap, callerHeap, rss, files, isCompacted }) =>
    [
      tenth,
      acknowledged,
      p50Ms.toFixed(1),
      p99Ms.toFixed(1),
      inMb(heap),
      inMb(callerHeap),
      inMb(rss),
      inMb(files),
      isCompacted ? 'yes' : 'no',
    ].map(String),
  )
  const head = ['tenth', 'commands', 'p50 ms', 'p99 ms', 'heap MB', 'caller MB', 'rss MB', 'files MB', 'compacted']
  return [head, ...rows].map((row) => row.map((text, column) => text.padStart((head[column] ?? '').length + 2)).join('')).join('\n')
}
