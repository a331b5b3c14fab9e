/**
 * The provider session as turns use it: a prompt goes in, chunks come out as progress, and an answer is returned.
 *
 * Whoever runs writes, and nobody else: when the signal of the turn fires, the turn itself sends the interrupt and reads on
 * to the boundary, so that the next turn finds the session idle. If it does not (the turn before came to grief), lines
 * of other prompts are told by their id and dropped, and a prompt that is still being answered is interrupted first.
 */

import { fileURLToPath } from 'node:url'
import type { SessionProcess, TurnContext } from '@bailiwick/kernel'
import { z } from 'zod'

/** Ways in which a provider misbehaves. */
export const misbehaviours = [
  'ignores interrupts',
  'finishes all the same',
  'sends its result late',
  'answers nothing',
  'answers with an empty text',
  'crashes',
  'crashes once',
  'crashes when interrupted',
  'floods',
  'prints garbage',
  'exits late',
] as const

/** Parameters of a provider. They count when it has to be started; a provider that is there keeps its own. */
export const providerOptions = z.object({
  /** Into how many pieces an answer falls. */
  chunks: z.int().positive().optional(),
  /** How far they are apart. */
  chunkMs: z.int().nonnegative().optional(),
  misbehaviours: z.array(z.enum(misbehaviours)).optional(),
  /** For so many prompts it behaves all the same. */
  politeFor: z.int().nonnegative().optional(),
  /** After so long without a sign of life it is ended. */
  noReplyMs: z.int().positive().optional(),
  /** How long it takes to go, if it exits late. */
  exitAfterMs: z.int().positive().optional(),
})

export type ProviderOptions = z.output<typeof providerOptions>

/** What is said to the provider. */
export interface Prompt {
  /** Tells it from other prompts of this stretch. */
  readonly name: string
  readonly text: string
  /** What of the answer is known already, from a stretch that was interrupted. */
  readonly draft: string
  readonly provider: ProviderOptions | undefined
}

/** Which process has answered. */
export interface ProviderView {
  readonly id: string
  readonly pid: number
  readonly isFresh: boolean
}

/** What became of a prompt. A provider that dies is no answer: the error of the kernel says so, and the kernel tries again. */
export type Reply = { readonly provider: ProviderView; readonly dropped: Dropped } & (
  | { readonly outcome: 'answered'; readonly text: string }
  /** The signal fired. `draft` is what had come by then; without `isAtBoundary` the provider did not stop in time. */
  | { readonly outcome: 'interrupted'; readonly draft: string; readonly isAtBoundary: boolean }
)

/** Lines that were not meant for this prompt. */
export interface Dropped {
  /** Of earlier prompts. */
  readonly foreign: number
  /** No line of the protocol. */
  readonly garbage: number
}

const id = z.string()
const protocolLine = z.discriminatedUnion('type', [
  z.object({ type: z.literal('chunk'), id, text: z.string() }),
  z.object({ type: z.literal('result'), id, text: z.string() }),
  z.object({ type: z.literal('interrupted'), id }),
  z.object({ type: z.literal('busy'), id, with: z.string() }),
])

type ProtocolLine = z.output<typeof protocolLine>

const program = fileURLToPath(new URL('provider.ts', import.meta.url))

/** What a conversation needs of its turn. */
export type Talking = Pick<TurnContext<unknown, unknown>, 'turn' | 'epoch' | 'attempt' | 'signal' | 'progress' | 'process'>

/** Says something to the provider of this actor, and reads to the boundary. */
export async function converse(turn: Talking, prompt: Prompt): Promise<Reply> {
  const { signal, progress } = turn
  const session = await turn.process.session('provider', {
    command: process.execPath,
    args: [program],
    input: { ...prompt.provider },
    // Read where it is used: what is part of a command is stored.
    secrets: { token: process.env['COORDINATOR_PROVIDER_TOKEN'] ?? 'token-of-nobody' },
    limits: { logBytes: 2 ** 20 },
    ...(prompt.provider?.noReplyMs !== undefined && { noReplyMs: prompt.provider.noReplyMs }),
  })
  const provider: ProviderView = { id: session.id, pid: session.pid, isFresh: session.isFresh }
  progress({ kind: 'provider', ...provider })
  const dropped = { foreign: 0, garbage: 0 }
  let { draft } = prompt
  // Interrupted before anything was said: nothing is said any more.
  if (signal.aborted) return { outcome: 'interrupted', draft, isAtBoundary: true, provider, dropped }

  const id = `${turn.turn}/${turn.epoch}/${prompt.name}`
  const say = (): Promise<void> => session.send({ type: 'prompt', id, text: prompt.text, draft, attempt: turn.attempt })
  const lines = session.lines()
  const interrupt = (): void => sendInterrupt(session, id)
  signal.addEventListener('abort', interrupt, { once: true })
  try {
    await say()
    let before: string | undefined
    for await (const text of lines) {
      const line = parse(text)
      if (line === undefined) {
        dropped.garbage += 1
      } else if (line.id !== id) {
        dropped.foreign += 1
        if (line.id === before && line.type !== 'chunk') await say()
      } else if (line.type === 'busy') {
        before = line.with
        sendInterrupt(session, before)
      } else if (line.type === 'chunk') {
        draft += line.text
        progress({ kind: 'chunk', step: prompt.name, text: line.text })
      } else if (line.type === 'result') {
        return { outcome: 'answered', text: line.text, provider, dropped }
      } else {
        return { outcome: 'interrupted', draft, isAtBoundary: true, provider, dropped }
      }
    }
  } finally {
    signal.removeEventListener('abort', interrupt)
  }
  // No more lines, and no error either: this stretch is over, because the provider did not stop within the drain deadline.
  return { outcome: 'interrupted', draft, isAtBoundary: false, provider, dropped }
}

/** If it cannot be sent the provider is gone, which whoever reads its lines is told. */
function sendInterrupt(session: SessionProcess, id: string): void {
  session.send({ type: 'interrupt', id }).catch(() => undefined)
}

function parse(text: string): ProtocolLine | undefined {
  try {
    return protocolLine.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
