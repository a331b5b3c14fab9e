/**
 * The program that the crash test kills: senders of four kinds work on ledgers, and every acknowledgement is appended
 * to a file at once, so that whoever reads it knows what this process was told before it died.
 *
 * It prints one line: the state that it found after its start. The file gets a line `sender n` per acknowledgement.
 */
import { openSync, writeSync } from 'node:fs'
import { openSystem } from '@bailiwick/kernel'
import { journaled, ledger } from '../fixtures/ledger.actor.ts'

const [directory = '', acknowledgementsFile = '', acknowledgedJson = '{}', mode = 'work'] = process.argv.slice(2)
const acknowledgements = openSync(acknowledgementsFile, 'a')
const acknowledged = JSON.parse(acknowledgedJson) as Readonly<Record<string, number>>

/** Actors of both kinds; each sender belongs to one of them. */
const LEDGERS = 4
const SENDERS = ['plain', 'keyed', 'tell', 'deep'] as const

// A small batch makes tells wait in the stored inbox, where a kill finds them.
const system = await openSystem({ directory, actors: [ledger, journaled], shards: 2, limits: { batchCommands: 8 } })

const refs = Array.from({ length: LEDGERS }, (_none, index) =>
  index % 2 === 0 ? system.actor(ledger, `l${index}`) : system.actor(journaled, `l${index}`),
)

// What an earlier life had accepted is handled before anybody looks.
while (system.stats().lanes.normal.depth > 0) await new Promise((resolve) => setImmediate(resolve))
const state = await Promise.all(refs.map((ref) => ref.ask.read()))
console.log(JSON.stringify(state))

if (mode === 'check') await system.close()
else await Promise.all(refs.flatMap((_ref, index) => SENDERS.map((kind) => send(index, kind))))

/** Sends for ever; a number is only sent after the one before it has left. */
async function send(index: number, kind: (typeof SENDERS)[number]): Promise<void> {
  const ref = refs[index]
  if (ref === undefined) return
  const sender = `${kind}-${index}`
  const found = state[index]?.last[sender] ?? 0
  // A keyed sender knows only what it was told, and repeats the rest; the others look at what is there.
  let n = kind === 'keyed' ? (acknowledged[sender] ?? 0) : found
  const width = kind === 'tell' ? 40 : kind === 'deep' ? 8 : 1
  for (;;) {
    const sent: Promise<void>[] = []
    for (let each = 0; each < width; each += 1) {
      n += 1
      sent.push(sendOne(ref, kind, sender, n))
    }
    await Promise.all(sent)
  }
}

async function sendOne(ref: (typeof refs)[number], kind: (typeof SENDERS)[number], sender: string, n: number): Promise<void> {
  if (kind === 'tell') await ref.tell.enter({ sender, n })
  else await ref.ask.enter({ sender, n }, kind === 'keyed' ? { idempotencyKey: `${sender}-${n}` } : {})
  writeSync(acknowledgements, `${sender} ${n}\n`)
}
