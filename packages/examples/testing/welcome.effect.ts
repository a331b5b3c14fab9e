import { defineEffect } from '@bailiwick/kernel'
import { z } from 'zod'

export const welcome = defineEffect({
  name: 'welcome',
  module: import.meta.url,
  input: z.object({ email: z.string() }),
  run: async ({ input, idempotencyKey, signal }) => {
    const answer = await fetch('https://mail.example/messages', {
      method: 'POST',
      headers: { 'idempotency-key': idempotencyKey },
      body: JSON.stringify({ to: input.email, template: 'welcome' }),
      signal,
    })
    if (!answer.ok) throw new Error(`the provider answered ${answer.status}`)
  },
})
