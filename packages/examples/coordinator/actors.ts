/** The actors of the coordinator, and the one place where translated commands reach them. */

import type { RefOf, System } from '@bailiwick/kernel'
import type { Command } from './command.ts'
import { postReply } from './post-reply.effect.ts'
import { pullRequest } from './pull-request.actor.ts'
import { replayLog } from './replay.actor.ts'
import { repository } from './repository.actor.ts'
import { reviewThread } from './review-thread.actor.ts'
import { sceneLog } from './scene-log.actor.ts'
import { session } from './session.actor.ts'

/** Everything that `openSystem` has to know. */
export const actors = [repository, pullRequest, reviewThread, replayLog, session, sceneLog] as const

/** What they do to the outside world. */
export const effects = [postReply] as const

/** Which actor: its type and key. */
export type Address = Pick<Command, 'actor' | 'key'>

/** The ref of the actor at an address. */
export function refOf(
  system: System,
  { actor, key }: Address,
): RefOf<typeof repository> | RefOf<typeof pullRequest> | RefOf<typeof reviewThread> {
  switch (actor) {
    case 'repository':
      return system.actor(repository, [...key])
    case 'pull-request':
      return system.actor(pullRequest, [...key])
    case 'review-thread':
      return system.actor(reviewThread, [...key])
  }
}

/** Sends a command. What is low is told, so the promise settles once it is on disk; the rest is asked, so it is done by then. */
export function send(system: System, command: Command): Promise<unknown> {
  const { ask, tell } = refOf(system, command)
  // The type of a command ties its name to its input; TypeScript cannot follow that tie through an index. The kernel checks the input.
  const methods = (command.priority === 'low' ? tell : ask) as unknown as Readonly<Record<string, Method>>
  const method = methods[command.command]
  if (method === undefined) throw new Error(`The actor ${command.actor} has no command ${command.command}.`)
  return method(command.input, { priority: command.priority, idempotencyKey: command.idempotencyKey })
}

type Method = (input: unknown, options: { priority: Command['priority']; idempotencyKey: string }) => Promise<unknown>
