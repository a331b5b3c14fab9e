/**
 * The program that the crash test of effects kills: couriers take numbered commands, each of which promises an effect and
 * tells every ledger. Every acknowledgement is appended to a file at once.
 *
 * It prints a line when it begins to send. In the mode `check` it sends nothing, waits until everything that was promised is
 * done, prints what it found, and closes.
 */
import { openSync, writeSync } from 'node:fs'
import { openSystem } from '@bailiwick/kernel'
import { courier, LEDGERS, post } from '../fixtures/courier.actor.ts'
import { ledger } from '../fixtures/ledger.actor.ts'

const [directory = '', acknowledgementsFile = '', url = '', mode = 'work'] = process.argv.slice(2)
const acknowledgements = openSync(acknowledgementsFile, 'a')

const COURIERS = ['c0', 'c1', 'c2', 'c3']
/** So many promises may be open; more only make the end of the test longer. */
const OUTBOX_MAX = 400

const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })

const system = await openSystem({ directory, actors: [courier, ledger], effects: [post], shards: 2 })
if (mode === 'check') {
  const isBusy = (): boolean => {
    const { outbox, lanes } = system.stats()
    return outbox > 0 || lanes.urgent.depth + lanes.high.depth + lanes.normal.depth + lanes.low.depth > 0
  }
  while (isBusy()) await turn()
  const couriers = await Promise.all(COURIERS.map(async (key) => [key, await system.actor(courier, key).ask.read()] as const))
  const ledgers = await Promise.all(LEDGERS.map((key) => system.actor(ledger, key).ask.read()))
  const { outbox, deadLetters } = system.stats()
  console.log(JSON.stringify({ couriers: Object.fromEntries(couriers), ledgers, outbox, deadLetters }))
  await system.close()
} else {
  console.log('working')
  await Promise.all(COURIERS.map((key) => send(key)))
}

/** Sends for ever, from where the courier is. */
async function send(key: string): Promise<void> {
  const ref = system.actor(courier, key)
  for (let n = (await ref.ask.read()).last + 1; ; n += 1) {
    await ref.ask.send({ n, url })
    writeSync(acknowledgements, `${key} ${n}\n`)
    while (system.stats().outbox > OUTBOX_MAX) await turn()
  }
}
