/**
 * Turns: commands whose work takes long, waits or computes, and can be interrupted.
 *
 * The logic does not see the command itself; it gets `<command>.started`, `.parked`, `.resumed`, `.done`, `.cancelled` and
 * `.failed` as the turn goes on. One turn of an actor runs at a time; its other commands are served meanwhile.
 */
import { isStamped } from './stamped.ts'
import type { z } from 'zod'
import { InvalidDefinition } from '../errors.ts'
import type { CommandBuilder, CommandDefinition, CommandOptions, InputOptions, NoInput, ReplyFunction } from './command.ts'
import type { AnyTurnContext, PreemptMode, TurnCause, TurnContext } from './turn-context.ts'
import type { TurnPlacement } from './turn-definition.ts'

/** How a turn has ended, as its caller gets it. */
export type TurnOutcome<Output> =
  | { readonly outcome: 'ok'; readonly value: Output }
  /** It came to its end without a result: `undefined`, `null` or an empty text. Nothing says that its work is done. */
  | { readonly outcome: 'empty' }
  /** It was dropped for good. */
  | { readonly outcome: 'cancelled'; readonly mode: PreemptMode; readonly by: TurnCause; readonly epoch: number }
  | { readonly outcome: 'failed'; readonly error: TurnError }
  | { readonly outcome: 'timed-out'; readonly error: TurnError }

/** An error as a value: its code, its text, and the fields that its class has. */
export interface TurnError {
  readonly code: string
  readonly message: string
}

/** What the declaration of a turn may say. */
export interface TurnOptions<Given, Input, Output, Frame, Snapshot> extends CommandOptions {
  /** Schema of the input. Without it the turn takes none. */
  readonly input?: z.ZodType<Input, Given>
  /** Schema of the result. A result that it refuses makes the turn fail. Without it any JSON value is taken. */
  readonly output?: z.ZodType<Output>
  /** Schema of the frame. Without it any JSON value is taken. */
  readonly frame?: z.ZodType<Frame>
  /** Does the work, and returns its result. It may be called several times for one command: again after a crash, resumed from its frame. */
  readonly run: (context: TurnContext<Input, Frame>) => Output | undefined | null | Promise<Output | undefined | null>
  /** Whether the present state takes the turn; false rejects the command. Default: as long as the logic is active. */
  readonly when?: ReplyFunction<Snapshot, Input, boolean>
  /** Where it runs. Default `shard`. */
  readonly on?: TurnPlacement
  /** How long it has to come to a boundary after its signal, in milliseconds, before it is ended by force. Default 5,000. */
  readonly drainMs?: number
  /** After so many milliseconds a stretch of running is interrupted, and the turn ends as `timed-out`. Default 3,600,000: one hour. */
  readonly timeoutMs?: number
  /** After so many milliseconds from its acceptance, waiting included, it ends as `timed-out`. Default 86,400,000: one day. */
  readonly endWithinMs?: number
  /** How often it is tried if its thread or process is lost, or if it throws an error with `retryable: true`. Default 2. */
  readonly maxAttempts?: number
  /** Whether a command of higher rank may interrupt it. Default true. */
  readonly preemptible?: boolean
  /** A running turn that has given no sign of life for so long is shown as silent, in milliseconds; nothing else happens. Default 600,000. */
  readonly silentMs?: number
}

const OPTIONS: ReadonlySet<string> = new Set([
  'input',
  'output',
  'frame',
  'run',
  'when',
  'on',
  'drainMs',
  'timeoutMs',
  'endWithinMs',
  'maxAttempts',
  'preemptible',
  'silentMs',
  'priority',
  'preempt',
  'rank',
])
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

/**
 * Declares a turn: `ask` resolves with a `TurnOutcome`, once, when it has ended for good; `tell` when it is accepted. There
 * is a signature without input, because a type that is inferred from nothing would allow everything.
 */
export function turn<Given extends object, Input extends object, Output = unknown, Frame = unknown, Snapshot = unknown>(
  options: TurnOptions<Given, Input, Output, Frame, Snapshot> & InputOptions<Given, Input>,
): CommandBuilder<'turn', Given, Input, TurnOutcome<Output>, Snapshot>
export function turn<Output = unknown, Frame = unknown, Snapshot = unknown>(
  options: TurnOptions<NoInput, NoInput, Output, Frame, Snapshot> & { readonly input?: undefined },
): CommandBuilder<'turn', NoInput, NoInput, TurnOutcome<Output>, Snapshot>
export function turn<Given, Input, Output, Frame, Snapshot>(
  options: TurnOptions<Given, Input, Output, Frame, Snapshot>,
): CommandBuilder<'turn', Given, Input, TurnOutcome<Output>, Snapshot> {
  const unknown = Object.keys(options).find((option) => !OPTIONS.has(option))
  return (name) => {
    if (unknown !== undefined) throw new InvalidDefinition('turn', `commands.${name}.${unknown}`, 'is no option of a turn')
    return definitionOf(name, options)
  }
}

function definitionOf<Given, Input, Output, Frame, Snapshot>(
  name: string,
  options: TurnOptions<Given, Input, Output, Frame, Snapshot>,
): CommandDefinition<'turn', Given, Input, TurnOutcome<Output>, Snapshot> {
  return {
    name,
    kind: 'turn',
    input: options.input,
    priority: options.priority ?? 'normal',
    preempt: options.preempt ?? 'none',
    rank: options.rank,
    reply: undefined,
    // The schema is of the value inside of the outcome.
    output: options.output as z.ZodType | undefined as z.ZodType<TurnOutcome<Output>> | undefined,
    replyWithinMs: options.endWithinMs ?? DAY_MS,
    turn: {
      frame: options.frame,
      run: options.run as (context: never) => unknown as (context: AnyTurnContext) => unknown, // Its input and frame are checked by the schemas.
      when: options.when as ((args: never) => boolean) | undefined,
      on: options.on ?? 'shard',
      drainMs: options.drainMs ?? 5_000,
      timeoutMs: options.timeoutMs ?? HOUR_MS,
      maxAttempts: options.maxAttempts ?? 2,
      preemptible: options.preemptible ?? true,
      silentMs: options.silentMs ?? 600_000,
    },
    isStamped: isStamped(options.input),
  }
}
