/**
 * Posts a reply to a review comment. The outside world of this example is a file; each line is a reply with its
 * idempotency key.
 */

import { appendFile, readFile } from 'node:fs/promises'
import { defineEffect } from '@bailiwick/kernel'
import { z } from 'zod'

export const postReply = defineEffect({
  name: 'post-reply',
  module: import.meta.url,
  input: z.object({ file: z.string(), comment: z.int(), text: z.string(), turn: z.int() }),
  run: async ({ input, idempotencyKey }) => {
    const { file, comment, text } = input
    await appendFile(file, `${JSON.stringify({ key: idempotencyKey, comment, text })}\n`)
    return { turn: input.turn }
  },
  // After a crash nobody knows whether the line was written. The file does, so no reply is ever posted twice.
  probe: async ({ input, idempotencyKey }) => {
    const text = await readFile(input.file, 'utf8').catch(() => '')
    const isThere = text.split('\n').some((line) => line.startsWith(JSON.stringify({ key: idempotencyKey }).slice(0, -1)))
    return isThere ? { done: true, output: { turn: input.turn } } : { done: false }
  },
  retry: { maxAttempts: 5, backoff: { minMs: 100, maxMs: 5_000 } },
  timeoutMs: 5_000,
})
