/** The smallest program: one account, kept in a directory. Run it twice, and the second run finds what the first left. */

import { openSystem } from '@bailiwick/kernel'
import { account } from './account.actor.ts'

await using system = await openSystem({ directory: process.argv[2] ?? 'account-data', actors: [account] })
const alice = system.actor(account, 'alice')

console.log('Alice has', await alice.ask.balance())
console.log('She puts in 100 and has', await alice.ask.deposit({ amount: 100 }))
console.log('She takes out 30 and has', await alice.ask.withdraw({ amount: 30 }))

await alice.ask.freeze()
try {
  await alice.ask.withdraw({ amount: 10 })
} catch (error) {
  console.log(error instanceof Error ? error.message : error)
}
await alice.ask.thaw()
