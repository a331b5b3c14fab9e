/**
 * Sends work to a session, and listens to what becomes of it. The work is that of GitHub's example webhooks.
 *
 * Every delivery has its idempotency key: whoever sends the same again after a crash joins the turn that goes on, or gets
 * the answer that is on record.
 */

import type { RefOf, TurnOutcome } from '@bailiwick/kernel'
import { deliveriesOf } from './payloads.ts'
import type { Example } from './payloads.ts'
import type { ProviderOptions } from './provider-session.ts'
import type { session } from './session.actor.ts'
import { now } from './session-turn.ts'
import type { Work, WorkProgress } from './session-turn.ts'
import { workOf } from './session-work.ts'
import type { SessionWork } from './session-work.ts'
import { translate } from './translate.ts'

/** Work with the delivery that it comes from. */
export interface Assigned {
  readonly delivery: string
  /** The repository, by GitHub's id. */
  readonly repository: string
  readonly work: SessionWork
}

/** The work of some rounds of deliveries, in their order. */
export function workOfRounds(rounds: readonly number[], examples: readonly Example[]): readonly Assigned[] {
  return rounds
    .flatMap((round) => deliveriesOf(round, examples))
    .filter(({ isRepeat }) => !isRepeat)
    .flatMap((delivery) => {
      const translation = translate(delivery)
      return translation.kind === 'commands' ? translation.commands : []
    })
    .flatMap((command) => {
      const work = workOf(command)
      return work === undefined ? [] : [{ delivery: command.idempotencyKey, repository: command.key[0], work }]
    })
}

/** What its sender was told in the end; of a command that is no turn, that it was handled. */
export type Ending = TurnOutcome<Work> | { readonly outcome: 'ok'; readonly value: undefined }

/** One message that was sent. */
export class Sent {
  readonly command: SessionWork['command']
  readonly calledAt: number = now()
  readonly answer: Promise<Ending>
  /** What it has reported, without the chunks. */
  readonly seen: WorkProgress[] = []
  #hasEnded = false
  #step = 0
  #attempt = 0
  #waiting: { readonly isSo: () => boolean; readonly resolve: () => void }[] = []

  constructor(command: SessionWork['command'], send: (onProgress: (value: unknown) => void) => Promise<Ending>) {
    this.command = command
    this.answer = send((value) => this.#hear(value as WorkProgress)).finally(() => {
      this.#hasEnded = true
      this.#look()
    })
    this.answer.catch(() => undefined) // Whoever waits for it is told.
  }

  /** Resolves while this step, or a later one, is being answered; at the latest when all is over. */
  async streaming(step: number, attempt = 1): Promise<void> {
    const isSo = (): boolean => this.#hasEnded || this.#attempt > attempt || (this.#attempt === attempt && this.#step >= step)
    if (isSo()) return
    await new Promise<void>((resolve) => this.#waiting.push({ isSo, resolve }))
  }

  #hear(value: WorkProgress): void {
    if (value.kind === 'begun') {
      this.#attempt = value.attempt
      this.#step = 0
    }
    if (value.kind === 'chunk') this.#step = Number(value.step)
    else this.seen.push(value)
    this.#look()
  }

  #look(): void {
    for (const { isSo, resolve } of this.#waiting) if (isSo()) resolve()
    this.#waiting = this.#waiting.filter(({ isSo }) => !isSo())
  }
}

/** How a director sends. */
export interface DirectorOptions {
  readonly ref: RefOf<typeof session>
  readonly work: readonly Assigned[]
  /** Stands in front of every delivery and every idempotency key. */
  readonly name: string
  readonly postTo: string
}

/** Sends the work of one repository, one piece after the other. */
export class Director {
  readonly ref: RefOf<typeof session>
  readonly name: string
  readonly sent: Sent[] = []
  readonly #options: DirectorOptions
  readonly #left: Assigned[]

  constructor(options: DirectorOptions) {
    this.ref = options.ref
    this.name = options.name
    this.#options = options
    this.#left = [...options.work]
  }

  /** Sends the next piece of this kind. */
  send(command: SessionWork['command'], provider?: ProviderOptions): Sent {
    const index = this.#left.findIndex(({ work }) => work.command === command)
    const [next] = index < 0 ? [] : this.#left.splice(index, 1)
    if (next === undefined) throw new Error(`There is no work left for ${command}.`)
    const sent = new Sent(command, (onProgress) => this.#ask(next, provider, onProgress))
    this.sent.push(sent)
    return sent
  }

  /** Sends several pieces of this kind at once. */
  burst(command: SessionWork['command'], count: number): void {
    for (let left = count; left > 0; left -= 1) this.send(command)
  }

  /** Waits until all that was sent has come to its end. */
  async settle(): Promise<void> {
    await Promise.all(this.sent.map(({ answer }) => answer))
  }

  async #ask({ delivery, work }: Assigned, provider: ProviderOptions | undefined, onProgress: (value: unknown) => void): Promise<Ending> {
    const { name, ref } = this
    const { postTo } = this.#options
    const options = { idempotencyKey: [name, delivery], onProgress }
    const assigned = { delivery: `${name}/${delivery}`, provider: { chunkMs: 8, ...provider } }
    switch (work.command) {
      case 'respond':
        return await ref.ask.respond({ ...work.input, ...assigned, postTo }, options)
      case 'fixChecks':
        return await ref.ask.fixChecks({ ...work.input, ...assigned }, options)
      case 'addressThread':
        return await ref.ask.addressThread({ ...work.input, ...assigned }, options)
      case 'implement':
        return await ref.ask.implement({ ...work.input, ...assigned }, options)
      case 'replan':
        return await ref.ask.replan({ ...work.input, ...assigned }, options)
      case 'drop':
        await ref.ask.drop(work.input, { idempotencyKey: options.idempotencyKey })
        return { outcome: 'ok', value: undefined }
    }
  }
}
