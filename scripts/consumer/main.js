// What a user's first program does, in plain JavaScript: an actor on a worker thread, its state in a file, and again after a restart.
import { strict as assert } from 'node:assert'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import { account } from './account.actor.js'

const directory = mkdtempSync(join(tmpdir(), 'bailiwick-consumer-'))

/** @param {number} amount */
async function deposit(amount) {
  const system = await openSystem({ directory, actors: [account] })
  try {
    /** @type {number} */
    const balance = await system.actor(account, 'alice').ask.deposit({ amount })
    return balance
  } finally {
    await system.close()
  }
}

/** A call that must not compile; never run. */
export async function wrong() {
  const system = await openSystem({ directory, actors: [account] })
  // @ts-expect-error the amount is a number
  await system.actor(account, 'alice').ask.deposit({ amount: 'much' })
}

assert.equal(await deposit(100), 100)
assert.equal(await deposit(1), 101)
rmSync(directory, { recursive: true })
console.log('the packed packages work')
