import type { RefOf } from '@bailiwick/kernel'
import type { account } from './account.actor.ts'

/** What the handler of `POST /top-ups` does. */
export async function topUp(ref: RefOf<typeof account>, amount: number): Promise<number> {
  const balance = await ref.ask.balance()
  await ref.ask.set({ to: balance + amount })
  return balance + amount
}
