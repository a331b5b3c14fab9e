/**
 * The program that the crash test kills. It is loaded, waits for one line on its standard input, and lives as that line says.
 *
 * It prints a line at every stage: `opening`, `found …` with what the actors say, `working` with the first acknowledgement,
 * `closing`, `closed …`. Every acknowledgement is appended to a file at once, after its promise has resolved, and so is every
 * complaint: a kill leaves what this process was told.
 */
import { openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setImmediate as nextTurn, setTimeout as pass } from 'node:timers/promises'
import { openSystem } from '@bailiwick/kernel'
import type { System } from '@bailiwick/kernel'
import type { Account } from './fixtures/account.ts'
import type { Ended, Orders } from './lives.ts'
import { randomFrom } from './random.ts'
import { DEFINITIONS, openTurnsOf, readAll, settle, SHARDS, timersOf, waitingIn, work } from './workload.ts'

const [root = '', url = ''] = process.argv.slice(2)
/** Senders that know only what they were told. The others look at what is there. */
const KEYED = /^(?:keyed|nap|quote|work|rush)\//
const QUIET_MS_MAX = 60_000

// Whoever started it is gone.
process.stdin.on('end', () => process.exit(1))
const lines = createInterface({ input: process.stdin })
lines.once('line', (line) => void live(JSON.parse(line) as Orders)) // Written by `lives.ts`.

function say(stage: string, what: unknown = ''): void {
  writeSync(1, `${stage} ${JSON.stringify(what)}\n`)
}

async function live({ life, seed, threads, closeAfterMs, dieAfter, isLast = false, acknowledged }: Orders): Promise<void> {
  const file = openSync(join(root, `acknowledged-${life}`), 'a')
  const complain = (text: string): unknown => writeSync(file, `! ${text}\n`)
  say('opening')
  const system = await openSystem({
    directory: join(root, 'data'),
    ...DEFINITIONS,
    shards: life === 0 ? SHARDS : threads,
    // A small batch makes tells wait in the stored inbox, where a kill finds them.
    limits: { batchCommands: 16 },
  })
  const found = await readAll(system)
  say('found', found)
  let isClosing = false
  if (closeAfterMs !== undefined) void pass(closeAfterMs).then(() => close())
  if (isLast) {
    say('checked', await check(system))
    await close()
  } else if (closeAfterMs !== 0) {
    let count = 0
    await work({
      system,
      url,
      log: join(root, 'turns'),
      root,
      random: randomFrom(seed),
      last: (sender) => (KEYED.test(sender) ? acknowledged[sender] : found.last[sender]) ?? 0,
      acknowledge: (sender, n) => {
        writeSync(file, `${sender} ${n}\n`)
        count += 1
        if (count === 1) say('working')
        // Zero stands for the whole group.
        if (count === dieAfter) process.kill(0, 'SIGKILL')
      },
      complain,
      pace: async (sender) => await (sender.startsWith('rush/') ? pass(40) : nextTurn()),
      isClosing: () => isClosing,
    })
  }

  async function close(): Promise<void> {
    isClosing = true
    say('closing')
    say('closed', await system.close())
    process.exit(0)
  }
}

/** Lets everything come to its end, and says what there is then. */
async function check(system: System): Promise<Ended> {
  await settle(system)
  const deadline = performance.now() + QUIET_MS_MAX
  let account: Account = await readAll(system)
  let left = await leftOf(system, account)
  while (left.length > 0 && performance.now() < deadline) {
    await pass(20)
    account = await readAll(system)
    left = await leftOf(system, account)
  }
  const letters = await system.deadLetters.list()
  const { epoch, lateResults, actionFailures, stranded } = system.stats()
  return { account, left, letters: letters.map((letter) => JSON.stringify(letter)), epoch, lateResults, actionFailures, stranded }
}

/** What has not come to its end. */
async function leftOf(system: System, { pending }: Account): Promise<readonly string[]> {
  const { outbox, turns, awaitingReply, effects, processes } = system.stats()
  const counts = {
    outbox,
    waiting: waitingIn(system),
    runningTurns: turns.running,
    runningEffects: effects.running,
    awaitingReply,
    processes: processes.running,
    pending,
  }
  return [
    ...Object.entries(counts).flatMap(([name, count]) => (count === 0 ? [] : [`${name}: ${count}`])),
    ...(await openTurnsOf(system)),
    ...(await timersOf(system)),
  ]
}
