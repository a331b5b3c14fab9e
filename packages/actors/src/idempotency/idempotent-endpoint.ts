/**
 * The facade of an idempotent endpoint: work that has an effect is done once under a key, and everybody who asks with that key
 * gets its answer.
 *
 * The work runs in the caller's process. The actor only knows who may do it, for as long as a lease that is renewed while the
 * work runs; an owner that dies stops renewing, and the next one who asks does the work in a later epoch.
 */
import { Buffer } from 'node:buffer'
import { InvalidInput } from '@bailiwick/kernel'
import type { RefOf, System } from '@bailiwick/kernel'
import { realPause, repeated } from '../pause.ts'
import type { Pause } from '../pause.ts'
import { realSurroundings } from '../seams.ts'
import type { Surroundings } from '../seams.ts'
import { rulesOf } from './define-idempotent-endpoint.ts'
import type { EndpointDefinition } from './define-idempotent-endpoint.ts'
import { KeyConflict, KeyInProgress, ReservationLost, ResponseTooLarge, TooManyInProgress } from './errors.ts'
import { fingerprintOf, nameOfKey } from './fingerprint.ts'
import { KEY_LENGTH_MAX } from './key-header.ts'
import type { KeptOutcome, Standing } from './ledger.ts'
import { checkResponse, keptOf, replayOf } from './response.ts'
import type { EndpointResponse, HandledResponse } from './response.ts'
import type { CheckedRules } from './rules.ts'

/** What is asked for. */
export interface EndpointRequest {
  /** Who asks: keys of different principals have nothing to do with each other. */
  readonly principal: string
  /** What is asked for, for instance `POST /orders`: the same key of another operation is another key. */
  readonly operation: string
  /** The client's key; 1 to 255 characters. Only its digest is stored. */
  readonly key: string
  /** What the key stands for: bytes, a string or JSON. Only its digest is stored. Another one under the same key is a conflict. */
  readonly payload?: unknown
  /** A digest of your own instead of `payload`. */
  readonly fingerprint?: string
  /** How long to wait for the work of another under the same key, in milliseconds. Default: that of the rules. */
  readonly waitMs?: number
  /** Ends the waiting; the work of whoever does it goes on. The call rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** What work is given. */
export interface WorkContext {
  /** Larger than that of everybody who had this key before: a fencing token for those who can mind one. */
  readonly epoch: number
  /** Fires when the reservation is lost: somebody else may do the work by now, and this answer will not be kept. */
  readonly signal: AbortSignal
}

/** What has an effect. It answers, or throws if nothing came of it. */
export type Work = (context: WorkContext) => Promise<EndpointResponse> | EndpointResponse

/** What the facade takes from the world. */
export interface EndpointSurroundings extends Pick<Surroundings, 'randomBytes'> {
  readonly pause: Pause
}

interface Call {
  readonly ref: RefOf<EndpointDefinition>
  readonly operation: string
  readonly name: string
  readonly fingerprint: string
  readonly owner: string
  readonly waitMs: number
  readonly signal: AbortSignal | undefined
}

const OWNER_BYTES = 12
const POLL_MS = 10
const POLL_MS_MAX = 250
/** How often a step is repeated whose outcome is unknown. With the waits in between, about eight seconds. */
const TIMES = 12
const RENEWALS = 3
/** Parts of a lease: how long a renewal may take, how long to wait after one that has failed, and when to give up. */
const ANSWER_PART = 1 / 6
const AGAIN_PART = 1 / 12
const LOST_PART = 3 / 4

const REAL: EndpointSurroundings = { randomBytes: realSurroundings.randomBytes, pause: realPause }

/** Does work once for each key. Holds nothing that matters: as many as you like may exist for one definition. */
export class IdempotentEndpoint {
  readonly #system: Pick<System, 'actor'>
  readonly #definition: EndpointDefinition
  readonly #rules: CheckedRules
  readonly #surroundings: EndpointSurroundings

  constructor(system: Pick<System, 'actor'>, definition: EndpointDefinition, surroundings: EndpointSurroundings = REAL) {
    this.#system = system
    this.#definition = definition
    this.#rules = rulesOf(definition)
    this.#surroundings = surroundings
  }

  /** The rules of the definition, with every default filled in. */
  get rules(): CheckedRules {
    return this.#rules
  }

  /**
   * Does the work, or answers what it has answered before. Rejects with `KeyConflict`, `KeyInProgress`, `TooManyInProgress`,
   * `ResponseTooLarge`, `ReservationLost`, with what the work throws, and with the errors of any call.
   */
  async handle(request: EndpointRequest, work: Work): Promise<HandledResponse> {
    const call = this.#callOf(request)
    let since: number | undefined
    for (let pollMs = POLL_MS; ; pollMs = Math.min(POLL_MS_MAX, pollMs * 2)) {
      call.signal?.throwIfAborted()
      const standing = await this.#stand(call)
      if (standing.outcome === 'owner') return await this.#own(call, standing.epoch, work)
      if (standing.outcome === 'completed') return this.#replay(call, standing)
      if (standing.outcome === 'conflict') throw new KeyConflict(call.operation)
      if (standing.outcome === 'full') {
        throw new TooManyInProgress(call.operation, this.#rules.inProgressMax, this.#rules.retryAfterMs)
      }
      since ??= standing.at
      // Time is the shard's, so that all who wait count alike.
      const leftMs = since + call.waitMs - standing.at
      if (leftMs <= 0) throw new KeyInProgress(call.operation, this.#rules.retryAfterMs)
      await this.#surroundings.pause(Math.min(pollMs, leftMs), call.signal)
    }
  }

  /** How the key stands for this call. Only a key that looks free is reserved: looking writes nothing. */
  async #stand({ ref, name, fingerprint, owner }: Call): Promise<Standing> {
    const { pause } = this.#surroundings
    const seen = await repeated(pause, TIMES, () => ref.ask.look({ name, fingerprint }))
    if (seen.outcome !== 'free') return seen
    return await repeated(pause, TIMES, () => ref.ask.reserve({ name, fingerprint, owner }))
  }

  async #own(call: Call, epoch: number, work: Work): Promise<HandledResponse> {
    const done = new AbortController()
    const lost = new AbortController()
    void this.#keep(call, epoch, done.signal, lost)
    try {
      let response: ReturnType<typeof checkResponse>
      try {
        response = checkResponse(call.operation, await work({ epoch, signal: lost.signal }))
      } catch (error) {
        await this.#release(call, epoch)
        throw error
      }
      const { status, headers, body } = response
      if (this.#rules.keeps(status)) await this.#complete(call, epoch, response)
      else await this.#release(call, epoch)
      return { outcome: 'executed', epoch, status, headers, body }
    } finally {
      done.abort()
    }
  }

  /**
   * Renews the lease until the work is done. Says so once it is lost, or could not be renewed for three quarters of it: while the
   * last quarter runs nobody else can have begun.
   */
  async #keep({ ref, name, operation }: Call, epoch: number, done: AbortSignal, lost: AbortController): Promise<void> {
    const { leaseMs } = this.#rules
    const { pause } = this.#surroundings
    for (let spentMs = 0; spentMs < leaseMs * LOST_PART;) {
      const waitMs = spentMs === 0 ? leaseMs / RENEWALS : leaseMs * AGAIN_PART
      await pause(waitMs, done)
      if (done.aborted) return
      spentMs += waitMs
      try {
        if (!(await ref.ask.renew({ name, epoch }, { timeoutMs: leaseMs * ANSWER_PART }))) break
        spentMs = 0
      } catch (error) {
        // Whatever else goes wrong goes wrong at once.
        if (isTimeout(error)) spentMs += leaseMs * ANSWER_PART
      }
    }
    // The work may have ended while its last renewal was under way.
    if (!isAborted(done)) lost.abort(new ReservationLost(operation, epoch))
  }

  async #complete({ ref, name, operation }: Call, epoch: number, response: EndpointResponse): Promise<void> {
    const { outcome, bytes } = keptOf(response, this.#rules)
    const isKept = await repeated(this.#surroundings.pause, TIMES, () => ref.ask.complete({ name, epoch, outcome, bytes }))
    if (!isKept) throw new ReservationLost(operation, epoch)
    this.#requireSize(operation, outcome)
  }

  /** Lets the next one do the work. What cannot be released ends with its lease. */
  async #release({ ref, name }: Call, epoch: number): Promise<void> {
    try {
      await repeated(this.#surroundings.pause, TIMES, () => ref.ask.release({ name, epoch }))
    } catch {
      // What the work has thrown, or answered, is what its caller must hear.
    }
  }

  #replay({ operation }: Call, { kept, epoch }: Extract<Standing, { readonly outcome: 'completed' }>): HandledResponse {
    this.#requireSize(operation, kept)
    return replayOf(kept.response, epoch)
  }

  #requireSize(operation: string, kept: KeptOutcome): asserts kept is Extract<KeptOutcome, { readonly kind: 'response' }> {
    if (kept.kind === 'oversized') throw new ResponseTooLarge(operation, kept.status, kept.bytes, this.#rules.responseBytesMax)
  }

  #callOf({ principal, operation, key, payload, fingerprint, waitMs, signal }: EndpointRequest): Call {
    if (typeof key !== 'string' || key === '' || key.length > KEY_LENGTH_MAX) {
      throw new InvalidInput(operation, 'key', `must have 1 to ${KEY_LENGTH_MAX} characters`)
    }
    // Nobody in particular would be one principal: they would see each other's answers.
    if (principal === '') throw new InvalidInput(operation, 'principal', 'must not be empty')
    if (fingerprint !== undefined && payload !== undefined) {
      throw new InvalidInput(operation, 'fingerprint', 'cannot be combined with payload')
    }
    if (waitMs !== undefined && !(waitMs >= 0)) throw new InvalidInput(operation, 'waitMs', 'must be a number from 0')
    return {
      ref: this.#system.actor(this.#definition, [principal, operation]),
      operation,
      name: nameOfKey(key),
      fingerprint: fingerprintOf(operation, fingerprint ?? payload),
      owner: Buffer.from(this.#surroundings.randomBytes(OWNER_BYTES)).toString('base64url'),
      waitMs: waitMs ?? this.#rules.waitMs,
      signal,
    }
  }
}

function isTimeout(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ASK_TIMEOUT'
}

/** Reads it anew: the compiler believes that what was false before an await is false after it. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted
}
