/** Waiting, in the caller's thread: between two looks at an actor, and between two renewals of a lease. */

/** Waits for so many milliseconds, or until the signal fires, whichever is first. Never rejects. */
export type Pause = (ms: number, signal?: AbortSignal) => Promise<void>

/** What waits by the real clock. It does not keep a program alive by itself. */
export const realPause: Pause = async (ms, signal) => {
  if (signal?.aborted === true) return
  await new Promise<void>((resolve) => {
    const over = AbortSignal.timeout(Math.ceil(ms))
    const end = (): void => {
      signal?.removeEventListener('abort', end)
      over.removeEventListener('abort', end)
      resolve()
    }
    over.addEventListener('abort', end)
    signal?.addEventListener('abort', end)
  })
}

const WAIT_MS = 25
const WAIT_MS_MAX = 1_000

/**
 * Makes a call again, a bounded number of times and each time after a longer wait, for as long as it ends with an error that
 * says that it may be repeated. The call must count once however often it is made.
 */
export async function repeated<T>(pause: Pause, times: number, call: () => Promise<T>): Promise<T> {
  for (let made = 1; ; made += 1) {
    try {
      return await call()
    } catch (error) {
      if (made >= times || !mayBeRepeated(error)) throw error
    }
    await pause(Math.min(WAIT_MS_MAX, WAIT_MS * 2 ** (made - 1)))
  }
}

/** Whether an error says that the same call may succeed later; a timeout leaves it open, which for such calls is the same. */
function mayBeRepeated(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && 'retryable' in error && error.retryable === true
}
