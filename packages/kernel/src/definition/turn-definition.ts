/** What makes a command a turn, after its checks. Types only. */
import type { z } from 'zod'
import type { AnyTurnContext } from './turn-context.ts'

/** Where a turn runs. */
export type TurnPlacement =
  /** In the shard's thread: for work that mostly waits. */
  | 'shard'
  /** On a thread of a pool: for work that computes. */
  | 'pool'
  /** In a Node.js process of its own. */
  | 'process'

/** A turn's part of a command's definition, with every default filled in. */
export interface TurnDefinition {
  readonly frame: z.ZodType | undefined
  readonly run: (context: AnyTurnContext) => unknown
  readonly when: ((args: never) => boolean) | undefined
  readonly on: TurnPlacement
  readonly drainMs: number
  readonly timeoutMs: number
  readonly maxAttempts: number
  readonly preemptible: boolean
  readonly silentMs: number
}
