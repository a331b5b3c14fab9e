/**
 * The scene: a worker goes through its tasks with one provider, and review comments and failed checks get in its way.
 *
 * It is a program of its own right: killed in the middle and started again it sends the same once more, and joins what
 * goes on. Nothing in it depends on the moment in which something happens, so it comes to its end in any case.
 */

import { join } from 'node:path'
import type { System } from '@bailiwick/kernel'
import type { Example } from './payloads.ts'
import { sceneLog } from './scene-log.actor.ts'
import { session } from './session.actor.ts'
import { Director, workOfRounds } from './session-director.ts'
import { reportOn } from './session-report.ts'
import type { SessionReport } from './session-report.ts'

/** The first round with the same repositories and other pull requests. */
const OTHER_PULL_REQUESTS = 50

/** What was played. */
export interface Scene {
  readonly scene: number
  /** Tasks that an earlier run has left, by their state. */
  readonly left: Readonly<Record<string, number>>
  readonly isContinued: boolean
  /** With a provider that stops when it is told to. */
  readonly polite: SessionReport
  /** With one that does not. */
  readonly deaf: SessionReport
  /** How many turns were ended by force. */
  readonly forced: number
}

export interface SceneOptions {
  readonly examples: readonly Example[]
  /** The directory of the system. */
  readonly directory: string
  /** Called with the number of the scene, and whether it has begun in an earlier run. */
  readonly onBegin: (scene: number, isContinued: boolean) => void
}

/** Plays the next scene, or the one that was cut off. */
export async function playScene(system: System, { examples, directory, onBegin }: SceneOptions): Promise<Scene> {
  const log = system.actor(sceneLog, 'github')
  const { begun, played } = await log.ask.progress()
  const scene = played + 1
  onBegin(scene, begun === scene)
  await log.ask.begin({ scene })
  const forcedBefore = system.stats().turns.forced
  const direct = (name: string, round: number): Director => {
    const work = workOfRounds([round, round + OTHER_PULL_REQUESTS], examples)
    const repository = work[0]?.repository ?? ''
    return new Director({ ref: system.actor(session, repository), work, name: `scene-${scene}-${name}`, postTo: join(directory, 'replies.jsonl') })
  }
  const polite = await politeProvider(direct('polite', 2 * scene))
  const deaf = await deafProvider(direct('deaf', 2 * scene + 1))
  await log.ask.complete({ scene })
  return { scene, isContinued: begun === scene, polite, deaf, forced: system.stats().turns.forced - forcedBefore }
}
