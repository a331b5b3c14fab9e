/** Stands for a call of a model provider: it takes a moment, and stops at once when its signal fires. */
// oxlint-disable-next-line bailiwick/no-raw-imports -- it stands for somebody else's program, which takes its time.
import { setTimeout as pause } from 'node:timers/promises'

/** Answers a question. Rejects with the signal's reason if that fires first. */
export async function askModel(question: string, signal: AbortSignal): Promise<string> {
  await pause(200, undefined, { signal })
  return `an answer to "${question}"`
}
