/**
 * Works through the rounds in waves, as if GitHub delivered what had piled up during an outage: all commands of a wave
 * are sent at once, so that there is a backlog in which urgent commands can show what they are worth.
 *
 * A wave that is done is recorded in the replay actor. After a crash the wave that was under way is sent again as a
 * whole: what had taken effect is recognised by its idempotency key, and what had been rejected is rejected again, for
 * only final states reject here (a merged pull request, a removed comment). So every command takes effect exactly once,
 * provided that the replay goes on before the keys expire, which by default is after a day.
 */

// oxlint-disable-next-line bailiwick/no-raw-imports -- outside of every actor; nothing waits for a moment, the loop only lets go of its thread.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { System } from '@bailiwick/kernel'
import { send } from './actors.ts'
import { codeOf } from './error-code.ts'
import type { Latency } from './latency.ts'
import { deliveriesOf } from './payloads.ts'
import type { Example } from './payloads.ts'
import { replayLog } from './replay.actor.ts'
import { addTally, emptyTally } from './tally.ts'
import type { Tally } from './tally.ts'
import { translate } from './translate.ts'
import type { Translation } from './translate.ts'

/** A wave has so many rounds, which is about nine thousand commands, of which no mailbox gets more than some hundreds. */
const WAVE_ROUNDS = 100

export interface ReplayOptions {
  readonly examples: readonly Example[]
  /** How many rounds there are to be in the end. */
  readonly rounds: number
  readonly latency: Latency
  /** Ends the replay after the wave that is under way. */
  readonly signal: AbortSignal
  /** Called after each wave. */
  readonly onProgress: (rounds: number, tally: Tally) => void
}

/** Replays what is not yet done. Answers how many rounds are. */
export async function replay(system: System, { examples, rounds, latency, signal, onProgress }: ReplayOptions): Promise<number> {
  const log = system.actor(replayLog, 'github')
  let { rounds: done, tally } = await log.ask.progress()
  while (done < rounds && !signal.aborted) {
    const to = Math.min(done + WAVE_ROUNDS, rounds)
    const ofWave = await replayWave(system, translatedRounds(done, to, examples), latency)
    await log.ask.complete({ from: done, to, tally: ofWave }, { idempotencyKey: `rounds-${done}-${to}` })
    done = to
    tally = addTally(tally, ofWave)
    onProgress(done, tally)
  }
  return done
}

/** A delivery after its translation. */
interface Translated {
  readonly isRepeat: boolean
  readonly translation: Translation
}

/** Translated beforehand, so that a wave is sent faster than it is worked off. */
function translatedRounds(from: number, to: number, examples: readonly Example[]): readonly (readonly Translated[])[] {
  return Array.from({ length: to - from }, (_, index) =>
    deliveriesOf(from + index, examples).map((delivery) => ({ isRepeat: delivery.isRepeat, translation: translate(delivery) })),
  )
}

/** Sends one round after the other, waiting for no answer in between, and then waits for all of them. */
async function replayWave(system: System, wave: readonly (readonly Translated[])[], latency: Latency): Promise<Tally> {
  const sent: Promise<Tally>[] = []
  for (const round of wave) {
    const answers = tallyOf(round.map(({ isRepeat, translation }) => deliver(system, translation, isRepeat, latency)))
    answers.catch(() => undefined) // A failure is met below, after the wave; until then it is nobody's.
    sent.push(answers)
    await nextTurn() // What was sent leaves with the end of the event loop's turn.
  }
  return await tallyOf(sent)
}

async function tallyOf(tallies: readonly Promise<Tally>[]): Promise<Tally> {
  return (await Promise.all(tallies)).reduce(addTally, emptyTally)
}

async function deliver(system: System, translation: Translation, isRepeat: boolean, latency: Latency): Promise<Tally> {
  const counted: Tally = isRepeat ? { ...emptyTally, repeats: 1 } : { ...emptyTally, deliveries: 1 }
  switch (translation.kind) {
    case 'dropped':
      return isRepeat ? counted : { ...counted, dropped: { [translation.reason]: 1 } }
    case 'refused':
      return isRepeat ? counted : { ...counted, refused: 1 }
    case 'commands': {
      const sent = translation.commands.map((command) => {
        const answer = send(system, command)
        return isTaken(isRepeat ? answer : latency.measure(command.priority, answer))
      })
      const taken = await Promise.all(sent)
      return isRepeat ? counted : { ...counted, commands: taken.length, rejected: taken.filter((one) => !one).length }
    }
  }
}

/** Whether the actor took the command. Rejection is an outcome here; every other error ends the replay. */
async function isTaken(answer: Promise<unknown>): Promise<boolean> {
  try {
    await answer
    return true
  } catch (error) {
    if (codeOf(error) === 'COMMAND_REJECTED') return false
    throw error
  }
}
