/**
 * What all turns of a session do: they go through steps, each of which is a prompt, and save what they have after each.
 *
 * A turn that is interrupted saves the part of the answer that it has, and goes on from there when it resumes. One that
 * starts again has no frame, and starts with the first step.
 */

import { turn } from '@bailiwick/kernel'
import type { CommandBuilder, TurnContext, TurnOptions, TurnOutcome } from '@bailiwick/kernel'
import { z } from 'zod'
import { converse, providerOptions } from './provider-session.ts'
import type { ProviderView, Reply } from './provider-session.ts'

/** What every turn of a session is given beside its own input. */
export const assignment = z.object({
  /** The webhook delivery that it comes from. */
  delivery: z.string(),
  /** Parameters of the provider, if it has to be started. */
  provider: providerOptions.optional(),
})

/** What a turn has come to. */
export const work = z.object({
  /** The answers to its steps. */
  answers: z.array(z.string()),
  /** Which processes have given them. */
  providers: z.array(z.object({ id: z.string(), pid: z.int() })),
  /** Lines that were not meant for it. */
  dropped: z.object({ foreign: z.int(), garbage: z.int() }),
})

export type Work = z.output<typeof work>

/** A checkpoint: what there is so far, and the part of the next answer that had come. */
export const frame = work.extend({ draft: z.string() })

export type Frame = z.output<typeof frame>

const nothing: Frame = { answers: [], providers: [], dropped: { foreign: 0, garbage: 0 }, draft: '' }

/** What a turn reports with `progress`. `at` is in ms since 1970, with fractions, and comparable between threads. */
export type WorkProgress =
  | { readonly kind: 'begun'; readonly at: number; readonly epoch: number; readonly attempt: number; readonly step: number }
  | { readonly kind: 'chunk'; readonly step: string; readonly text: string }
  | { readonly kind: 'saved'; readonly steps: number }
  | { readonly kind: 'signal'; readonly at: number; readonly epoch: number }
  | ({ readonly kind: 'provider' } & ProviderView)

/** The time that progress carries. */
export function now(): number {
  return performance.timeOrigin + performance.now()
}

/** How a kind of turn differs from the others. */
type Kind<Input> = Pick<TurnOptions<object, object, Work, Frame, unknown>, 'preempt' | 'priority' | 'preemptible'> & {
  readonly rank: 'handler' | 'ci' | 'thread' | 'spec' | 'background'
  /** What is said to the provider, one prompt after the other. */
  readonly steps: (input: Input) => readonly string[]
}

/** A turn of a session. */
export function sessionTurn<Given extends object, Input extends z.output<typeof assignment>>(
  input: z.ZodType<Input, Given>,
  { steps, ...rest }: Kind<Input>,
): CommandBuilder<'turn', Given, Input, TurnOutcome<Work>, unknown> {
  return turn({
    ...rest,
    input,
    frame,
    output: work,
    drainMs: 1_000,
    timeoutMs: 60_000,
    run: (context: TurnContext<Input, Frame>) => goThrough(context, steps(context.input)),
  })
}

async function goThrough(context: TurnContext<z.output<typeof assignment>, Frame>, steps: readonly string[]): Promise<Work | undefined> {
  const { input, signal, checkpoint, epoch, attempt } = context
  const progress = (value: WorkProgress): void => context.progress(value)
  let known = context.frame ?? nothing
  progress({ kind: 'begun', at: now(), epoch, attempt, step: known.answers.length + 1 })
  signal.addEventListener('abort', () => progress({ kind: 'signal', at: now(), epoch }), { once: true })
  for (const [index, text] of steps.entries()) {
    if (index < known.answers.length) continue
    signal.throwIfAborted()
    const reply = await converse(context, { name: `${index + 1}`, text, draft: known.draft, provider: input.provider })
    known = afterReply(known, reply)
    // If the time to stop is over this is rejected, and counts as late: the checkpoint before it stands.
    await checkpoint(known)
    if (reply.outcome === 'interrupted') signal.throwIfAborted()
    // An empty answer completes nothing.
    if (reply.outcome === 'interrupted' || reply.text === '') return undefined
    progress({ kind: 'saved', steps: index + 1 })
  }
  return { answers: known.answers, providers: known.providers, dropped: known.dropped }
}

function afterReply({ answers, providers, dropped }: Frame, reply: Reply): Frame {
  const { id, pid } = reply.provider
  return {
    answers: reply.outcome === 'answered' && reply.text !== '' ? [...answers, reply.text] : answers,
    providers: providers.some((known) => known.id === id) ? providers : [...providers, { id, pid }],
    dropped: { foreign: dropped.foreign + reply.dropped.foreign, garbage: dropped.garbage + reply.dropped.garbage },
    draft: reply.outcome === 'interrupted' ? reply.draft : '',
  }
}
