/** Turns in processes of their own: the parent's side. */
import type { JsonValue, ProcessResult } from '../definition/process.ts'
import type { AnyTurnContext } from '../definition/turn-context.ts'
import { messageOf, ProcessLost } from '../errors.ts'
import type { Fork, ForkedProcess, TurnPlace } from './seams.ts'
import { isTurnEnd, nameOfActor } from './turn-messages.ts'
import type { FromTurn, ToTurn, ToTurnProcess } from './turn-messages.ts'
import { TurnShardEnd } from './turn-shard-end.ts'

/** The entry is TypeScript in the repository and JavaScript in a package, like this file. */
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './turn-process-entry.ts' : './turn-process-entry.js', import.meta.url)

/** Forks a process for every turn. */
export class TurnProcesses {
  readonly #turns = new Set<ProcessTurn>()
  readonly #leaving = new Set<Promise<unknown>>()
  #isClosed = false

  /** As `TurnPlaces.run`. What `kill` gives as its reason is what a turn that is ended by force rejects with. */
  async run(place: TurnPlace, context: AnyTurnContext, kill: AbortSignal, fork: Fork): Promise<unknown> {
    kill.throwIfAborted()
    context.signal.throwIfAborted()
    if (this.#isClosed) throw closed()
    const turn = new ProcessTurn(place, context)
    const end = (): void => turn.end.fail(kill.reason)
    kill.addEventListener('abort', end)
    this.#turns.add(turn)
    const gone = turn.begin(fork).finally(() => this.#leaving.delete(gone))
    this.#leaving.add(gone)
    try {
      return await turn.end.outcome
    } finally {
      kill.removeEventListener('abort', end)
      this.#turns.delete(turn)
    }
  }

  /** Ends all processes by force. Resolves when they are gone. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const turn of this.#turns) turn.end.fail(closed())
    await Promise.all(this.#leaving)
  }
}

class ProcessTurn {
  readonly end: TurnShardEnd
  readonly #name: string
  #child: ForkedProcess | undefined
  #hasReported = false

  constructor(place: TurnPlace, context: AnyTurnContext) {
    this.#name = `The process of ${nameOfActor(place.type, context.key)}`
    this.end = new TurnShardEnd(place, context, (message) => this.#post(message))
  }

  /** Starts the process. Resolves when it is gone, or could not be started; never rejects. */
  async begin(fork: Fork): Promise<void> {
    try {
      const child = await fork(ENTRY, (message) => this.#take(message))
      this.#child = child
      void child.exited.then((result) => this.#lost(endOf(result)))
      if (!this.end.isOver) send(child, { tag: 'start', start: this.end.start })
      await this.end.outcome.catch(() => undefined)
      if (this.#hasReported) {
        send(child, { tag: 'over' })
        await child.stop()
      } else await child.kill()
    } catch (error) {
      this.end.fail(error instanceof ProcessLost ? error : new ProcessLost(this.#name, messageOf(error), { cause: error }))
    }
  }

  #post(message: ToTurn): void {
    if (this.#child !== undefined) send(this.#child, message)
    // It is not there yet, so the turn has not begun, and it gets no messages but this one.
    else if (message.tag === 'interrupt') this.end.take({ tag: 'dropped' })
  }

  #take(message: unknown): void {
    if (!isFromTurn(message)) return
    // From here on the process leaves by itself, when everything that it has printed is out.
    if (isTurnEnd(message) && message.tag !== 'dropped') this.#hasReported = true
    if (message.tag === 'lost') this.#lost(message.reason)
    else this.end.take(message)
  }

  #lost(reason: string): void {
    this.end.fail(new ProcessLost(this.#name, reason))
  }
}

function send(child: ForkedProcess, message: ToTurnProcess): void {
  child.post(message as JsonValue) // Messages are plain data; interfaces only have no index signature.
}

/** The turn's own code can send messages to its parent too: those are not meant for us. */
function isFromTurn(message: unknown): message is FromTurn {
  return typeof message === 'object' && message !== null && 'tag' in message
}

function endOf({ reason, exitCode, signal, error }: ProcessResult): string {
  if (error !== undefined) return error
  if (signal !== null) return `it was ended by ${signal}`
  return exitCode === null ? `it has ${reason}` : `it exited with code ${exitCode}`
}

function closed(): ProcessLost {
  return new ProcessLost('The process', 'the system is closing')
}
