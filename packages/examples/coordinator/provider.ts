/**
 * The provider: a stand-in for the command line of a language model, as a child process that speaks JSON lines.
 *
 *     ←  parameters and the token, as one line
 *     ←  { type: 'prompt', id, text, attempt, draft }
 *     →  { type: 'chunk', id, text } …                         what follows after the draft, piece by piece
 *     →  { type: 'result', id, text }                          the whole answer
 *     ←  { type: 'interrupt', id }                             counts for this prompt only
 *     →  { type: 'interrupted', id }                           in place of the next chunk
 *     →  { type: 'busy', id, with }                            one prompt at a time
 *
 * It knows no network, and its answers are the same every time. Told to, it misbehaves in the ways that real ones do.
 */

import { createInterface } from 'node:readline'
// oxlint-disable-next-line bailiwick/no-raw-imports -- this program stands for one that is not ours: nobody's state is in it.
import { setTimeout as pause } from 'node:timers/promises'
import type { ProviderOptions } from './provider-session.ts'

type Line = Readonly<Record<string, string | number | undefined>>

type Settings = { readonly [Name in keyof ProviderOptions]-?: NonNullable<ProviderOptions[Name]> }

/** A prompt that is being answered. */
interface Current {
  readonly id: string
  isInterrupted: boolean
}

const FLOOD_LINES = 50_000

let options: Settings | undefined
let current: Current | undefined
let prompts = 0
const listener = { isGone: false }

const input = createInterface({ input: process.stdin })
input.on('line', (text) => {
  const line = JSON.parse(text) as Line // Its only writer is `provider-session.ts`.
  if (options === undefined) begin(line)
  else if (line['type'] === 'prompt') void answer(options, line)
  else if (line['type'] === 'interrupt' && current !== undefined && current.id === line['id']) current.isInterrupted = true
})

input.on('close', () => {
  listener.isGone = true
})

/** Takes the parameters. The token would open the connection to the model; it is looked at and never printed. */
function begin({ token, ...given }: Line): void {
  if (typeof token !== 'string' || token === '') throw new Error('It was given no token.')
  const defaults = { chunks: 6, chunkMs: 12, misbehaviours: [], politeFor: 0, noReplyMs: 0, exitAfterMs: 0 }
  options = { ...defaults, ...given }
  const { misbehaviours, exitAfterMs } = options
  if (!misbehaviours.includes('exits late')) return
  // oxlint-disable-next-line bailiwick/no-process-signals -- a program that does not go when it is told to.
  process.on('SIGTERM', () => void pause(exitAfterMs).then(() => input.close()))
}

async function answer({ chunks, chunkMs, misbehaviours, politeFor }: Settings, prompt: Line): Promise<void> {
  const id = String(prompt['id'])
  if (current !== undefined) {
    print({ type: 'busy', id, with: current.id })
    return
  }
  const mine: Current = { id, isInterrupted: false }
  current = mine
  prompts += 1
  const does = new Set(prompts > politeFor ? misbehaviours : [])
  if (does.has('answers nothing')) return
  const whole = does.has('answers with an empty text') ? '' : `This is what I have to say about it: ${String(prompt['text'])}. So be it.`
  const pieces = piecesOf(whole, Math.min(String(prompt['draft'] ?? '').length, whole.length), chunks)
  const doesCrash = does.has('crashes') || (does.has('crashes once') && prompt['attempt'] === 1)
  if (does.has('floods')) await flood(id)
  for (let at = 0; !listener.isGone && (at < pieces.length || (mine.isInterrupted && does.has('ignores interrupts'))); at += 1) {
    await pause(chunkMs)
    if (mine.isInterrupted && does.has('crashes when interrupted')) throw new Error('It has crashed.')
    if (mine.isInterrupted && !does.has('ignores interrupts') && !does.has('finishes all the same')) {
      stop(mine, does.has('sends its result late') ? { type: 'result', id, text: whole } : undefined, chunkMs)
      return
    }
    if (does.has('prints garbage'))
      process.stdout.write(`Warning: 12% of your context is left\n{"type":"chunk","id":\n{"type":"thinking"}\n\n`)
    if (doesCrash && at >= pieces.length / 2) throw new Error('It has crashed.')
    print({ type: 'chunk', id, text: pieces[at] ?? 'and on … ' })
  }
  print({ type: 'result', id, text: whole })
  current = undefined
}

/** The boundary of an interrupted prompt, and perhaps what should not come after it. */
function stop({ id }: Current, late: Line | undefined, chunkMs: number): void {
  print({ type: 'interrupted', id })
  current = undefined
  if (late !== undefined) void pause(2 * chunkMs).then(() => print(late))
}

/** Chunks without end, as fast as the pipe takes them. */
async function flood(id: string): Promise<void> {
  for (let at = 0; at < FLOOD_LINES; at += 1) {
    print({ type: 'chunk', id, text: '…' })
    if (at % 1000 === 0) await pause(0)
  }
}

/** What comes after the draft, in so many pieces as fall to it. */
function piecesOf(whole: string, known: number, chunks: number): readonly string[] {
  const length = Math.max(1, Math.ceil(whole.length / chunks))
  return Array.from({ length: Math.ceil((whole.length - known) / length) }, (_, at) =>
    whole.slice(known + at * length, known + (at + 1) * length),
  )
}

function print(line: Line): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
