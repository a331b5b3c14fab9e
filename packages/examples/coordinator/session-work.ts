/**
 * What the commands of the coordinator mean for the session of their repository: who has to be answered, what has to be
 * done, and what is not wanted any more. Pure, like the translation before it.
 */

import type { Command } from './command.ts'
import type { MessageOf } from './message.ts'
import type { sessionCommands } from './session.actor.ts'

/** A message for a session, without what is said of every assignment. */
export type SessionWork = WithoutAssignment<MessageOf<typeof sessionCommands>>

type WithoutAssignment<Message> = Message extends { readonly command: infer Name; readonly input: infer Input }
  ? { readonly command: Name; readonly input: Omit<Input, 'delivery' | 'provider' | 'postTo'> }
  : never

/** The work that follows from a command; most commands lead to none. */
export function workOf(sent: Command): SessionWork | undefined {
  switch (sent.command) {
    case 'comment':
    case 'editComment':
      // The comments of a pull request as a whole are only counted.
      return 'id' in sent.input ? { command: 'respond', input: { comment: sent.input } } : undefined
    case 'reportCheck':
      return sent.input.verdict === 'failing' ? { command: 'fixChecks', input: { check: sent.input.name } } : undefined
    case 'review':
      return { command: 'addressThread', input: { reviewer: sent.input.login } }
    case 'open':
      return { command: 'implement', input: { title: sent.input.title } }
    case 'push':
      return { command: 'replan', input: { ref: sent.input.ref } }
    case 'close':
      return { command: 'drop', input: { reason: sent.input.isMerged ? 'it was merged' : 'it was closed' } }
    default:
      return undefined
  }
}
