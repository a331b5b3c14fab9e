import type { RefOf } from '@bailiwick/kernel'
import type { account } from './account.actor.ts'

/** What the handler of `POST /top-ups` does. */
export async function topUp(ref: RefOf<typeof account>, amount: number, idempotencyKey?: string): Promise<number> {
  return await ref.ask.deposit({ amount }, idempotencyKey === undefined ? {} : { idempotencyKey })
}
