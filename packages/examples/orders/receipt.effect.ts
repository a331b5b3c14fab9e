/** Writes a receipt into a file: the outside world of this example. */
import { appendFile, readFile } from 'node:fs/promises'
import { defineEffect } from '@bailiwick/kernel'
import { z } from 'zod'

/** The receipts in a file: each line an idempotency key and a text. */
async function receiptsIn(file: string): Promise<readonly (readonly string[])[]> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return text.split('\n').map((line) => line.split('\t'))
}

export const receipt = defineEffect({
  name: 'receipt',
  module: import.meta.url,
  input: z.object({ file: z.string(), text: z.string() }),
  run: async ({ input, idempotencyKey }) => {
    await appendFile(input.file, `${idempotencyKey}\t${input.text}\n`)
    return { number: idempotencyKey }
  },
  // After a crash nobody knows whether the line was written. The file does, so no receipt is ever written twice.
  probe: async ({ input, idempotencyKey }) => {
    const isThere = (await receiptsIn(input.file)).some(([key]) => key === idempotencyKey)
    return isThere ? { done: true, output: { number: idempotencyKey } } : { done: false }
  },
  retry: { maxAttempts: 5, backoff: { minMs: 100, maxMs: 5_000 } },
  timeoutMs: 2_000,
})
