/** A wallet done right, and ways to get it wrong. */
import { command, defineActor, query } from '@bailiwick/kernel'
import { fromTransition } from 'xstate'
import { z } from 'zod'

export interface Wallet {
  readonly balance: number
}

type WalletEvent =
  | { readonly type: 'set'; readonly to: number }
  | { readonly type: 'deposit'; readonly amount: number }
  | { readonly type: 'withdraw'; readonly amount: number }

const amount = z.object({ amount: z.number().int().min(1).max(10) })

/** Takes what it is told, and never has less than nothing. */
export const wallet = defineActor({
  type: 'wallet',
  module: import.meta.url,
  logic: fromTransition(
    (state: Wallet, event: WalletEvent): Wallet => {
      if (event.type === 'set') return { balance: event.to }
      return { balance: event.type === 'deposit' ? state.balance + event.amount : Math.max(0, state.balance - event.amount) }
    },
    { balance: 0 },
  ),
  commands: {
    set: command({ input: z.object({ to: z.number().int().min(0).max(3) }), reply: ({ context }) => context.balance }),
    deposit: command({ input: amount, reply: ({ context }) => context.balance }),
    withdraw: command({ input: amount, reply: ({ context }) => context.balance }),
    balance: query({ reply: ({ context }) => context.balance }),
  },
})

/** What a wallet should do. */
export function reduceWallet(
  state: Wallet,
  step:
    | { readonly command: 'set'; readonly input: { readonly to: number } }
    | { readonly command: 'deposit' | 'withdraw'; readonly input: { readonly amount: number } }
    | { readonly command: 'balance'; readonly input: undefined },
): { readonly state: Wallet; readonly reply: number } {
  const balanceAfter = (): number => {
    switch (step.command) {
      case 'set':
        return step.input.to
      case 'deposit':
        return state.balance + step.input.amount
      case 'withdraw':
        return Math.max(0, state.balance - step.input.amount)
      case 'balance':
        return state.balance
    }
  }
  const balance = balanceAfter()
  return { state: { balance }, reply: balance }
}
