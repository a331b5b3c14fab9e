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
  /** Whether an earlier run has begun it. */
  readonly isContinued: boolean
  /** With a provider that stops when it is told to. */
  readonly polite: SessionReport
  /** With one that does not. */
  readonly deaf: SessionReport
}

/** How many messages there are of each kind. */
const MESSAGES: Readonly<Record<'polite' | 'deaf', Readonly<Record<string, number>>>> = {
  polite: { implement: 2, respond: 5, fixChecks: 2, addressThread: 1, replan: 1, drop: 1 },
  deaf: { implement: 1, respond: 1 },
}

/** Whether all of it came out as it has to: every message had its one answer, and one had the session at a time. */
export function isSound(scene: Scene): boolean {
  return (['polite', 'deaf'] as const).every((name) => {
    const { endings, isOneAtATime, repliesPosted } = scene[name]
    // After a crash the second task may be done before it is dropped.
    const ended = Object.entries(MESSAGES[name]).every(
      ([command, sent]) => (endings[`${command} ok`] ?? 0) + (command === 'implement' ? (endings['implement cancelled'] ?? 0) : 0) === sent,
    )
    return ended && isOneAtATime && repliesPosted === MESSAGES[name]['respond']
  })
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
  const direct = (name: string, round: number): Director => {
    const work = workOfRounds([round, round + OTHER_PULL_REQUESTS], examples)
    const repository = work[0]?.repository ?? ''
    return new Director({
      ref: system.actor(session, repository),
      work,
      name: `scene-${scene}-${name}`,
      postTo: join(directory, 'replies.jsonl'),
    })
  }
  const polite = await politeProvider(direct('polite', 2 * scene))
  const deaf = await deafProvider(direct('deaf', 2 * scene + 1))
  await log.ask.complete({ scene })
  return { scene, isContinued: begun === scene, polite, deaf }
}

async function politeProvider(director: Director): Promise<SessionReport> {
  const task = director.send('implement')
  await task.streaming(2)
  director.burst('respond', 3)
  await task.streaming(3)
  director.send('respond')
  await task.streaming(4)
  director.send('fixChecks')
  await task.streaming(2, 2)
  const thread = director.send('addressThread')
  await thread.streaming(1)
  director.send('fixChecks')
  await director.settle()
  // Nobody interrupts what looks after the plan.
  const plan = director.send('replan')
  await plan.streaming(1)
  director.send('respond')
  const unwanted = director.send('implement')
  await unwanted.streaming(2)
  director.send('drop')
  return await reportOn(director)
}

/** After its first answer the provider does not stop when it is told to. The one that takes its place does. */
async function deafProvider(director: Director): Promise<SessionReport> {
  const task = director.send('implement', { misbehaviours: ['ignores interrupts'], politeFor: 1 })
  await task.streaming(2)
  director.send('respond')
  return await reportOn(director)
}
