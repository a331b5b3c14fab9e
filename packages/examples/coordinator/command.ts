/**
 * What the translation makes of deliveries: messages with the address of their actor, or the reason why there are none.
 */

import type { PullRequestMessage } from './pull-request.actor.ts'
import type { RepositoryMessage } from './repository.actor.ts'
import type { ReviewThreadMessage } from './review-thread.actor.ts'

/** The lanes that deliveries use. */
export type Priority = 'urgent' | 'normal' | 'low'

/** A message with the address of its actor. */
export type Addressed =
  | ({ readonly actor: 'repository'; readonly key: readonly [repository: string]; readonly priority: Priority } & RepositoryMessage)
  | ({
      readonly actor: 'pull-request'
      readonly key: readonly [repository: string, number: string]
      readonly priority: Priority
    } & PullRequestMessage)
  | ({
      readonly actor: 'review-thread'
      readonly key: readonly [repository: string, comment: string]
      readonly priority: Priority
    } & ReviewThreadMessage)

/** A message ready to be sent. */
export type Command = Addressed & { readonly idempotencyKey: string }

/** Why a delivery leads to no command. */
export type DropReason =
  | 'unknown event'
  | 'event without an actor'
  | 'action without an actor'
  | 'said by another event too'
  | 'not about a pull request'
