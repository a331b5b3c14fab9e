/** The first code of the README prints what it promises, and the account outlives the process. */

import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const program = fileURLToPath(new URL('../account/main.ts', import.meta.url))

test('Alice has after the second run what the two runs left her', { timeout: 30_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bailiwick-account-'))
  try {
    expect(await run(directory)).toBe(lines(0))
    expect(await run(directory)).toBe(lines(70))
  } finally {
    await rm(directory, { recursive: true })
  }
})

function lines(before: number): string {
  return [
    `Alice has ${before}`,
    `She puts in 100 and has ${before + 100}`,
    `She takes out 30 and has ${before + 70}`,
    'account/alice does not take the command "withdraw" in its state "frozen".',
    '',
  ].join('\n')
}

async function run(directory: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, directory])
  return stdout
}
