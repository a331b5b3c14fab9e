/**
 * The facade of traces: append-only chains of records, each of which proves the one before it.
 *
 * The order is decided by the chain's actor, however many append at the same time. Reading goes segment by segment, so a chain of
 * any length needs the memory of one segment.
 */
import { Buffer } from 'node:buffer'
import { encodeKey } from '@bailiwick/kernel'
import type { ActorKey, RefOf, System } from '@bailiwick/kernel'
import { realPause, repeated } from '../pause.ts'
import type { Pause } from '../pause.ts'
import { idOfSecret } from './chain.ts'
import type { TraceCheckpoint, TraceHead, TraceRecord, TraceSecret } from './chain.ts'
import { broken, ChainVerifier } from './chain-verifier.ts'
import type { TraceVerdict } from './chain-verifier.ts'
import { segmentKey, tracePartsOf } from './define-trace.ts'
import type { Appended, TraceDefinition } from './define-trace.ts'
import { TraceBroken, TracePruned, TraceRecordRefused, TraceSecretWrong } from './errors.ts'
import { beginningLine, endLine, reached, recordLine } from './export-lines.ts'
import { firstOf, reachOf, segmentOf } from './head.ts'
import type { ChainState } from './head.ts'
import { checkSecret } from './rules.ts'

/** Options of `append`. */
export interface AppendOptions {
  /** Makes the append safe to repeat: one record for each key, as for every command. */
  readonly idempotencyKey?: string | readonly string[]
}

/** Options of `verify`. */
export interface VerifyOptions {
  /** A head that was seen before, for instance one that is kept elsewhere: a chain that does not reach it was set back. */
  readonly atLeast?: TraceHead
}

/** What a chain says about itself. */
export interface TraceSummary {
  readonly head: TraceHead
  readonly checkpoint: TraceCheckpoint | null
}

/** What the facade takes from the world. */
export interface TraceSurroundings {
  readonly pause: Pause
}

type Description = Omit<ChainState, 'open'>

const REAL: TraceSurroundings = { pause: realPause }
const TIMES = 12
const LOOKS_MAX = 100
const LOOK_MS_MAX = 100
const LONGEST_NUMBER = String(Number.MAX_SAFE_INTEGER)

/** Chains of one definition. Holds nothing that matters: as many as you like may exist. */
export class Trace {
  readonly #system: Pick<System, 'actor'>
  readonly #definition: TraceDefinition
  readonly #parts: ReturnType<typeof tracePartsOf>
  readonly #pause: Pause
  readonly #secret: TraceSecret
  readonly #secretId: string

  /** Throws `TraceSecretWrong` where there is no secret. */
  constructor(system: Pick<System, 'actor'>, definition: TraceDefinition, surroundings: TraceSurroundings = REAL) {
    this.#system = system
    this.#definition = definition
    this.#parts = tracePartsOf(definition)
    this.#pause = surroundings.pause
    this.#secret = checkSecret(definition.type, this.#parts.rules.secret())
    this.#secretId = idOfSecret(this.#secret)
  }

  /**
   * Appends a record, anything that JSON can carry, after the definition's `redact`. Resolves, once it is on disk, with its
   * number and hash: whoever keeps those elsewhere can prove later that the chain was not set back. Rejects with
   * `TraceRecordRefused`, `TraceSecretWrong`, with `TraceBroken` where somebody has changed the chain's end, and with the errors
   * of any call.
   */
  async append(chain: ActorKey, record: unknown, options: AppendOptions = {}): Promise<Appended> {
    const { ref, name } = this.#chain(chain)
    const text = this.#textOf(name, record)
    try {
      return await ref.ask.append({ text, secretId: this.#secretId }, options)
    } catch (error) {
      throw codeOf(error) === 'COMMAND_REJECTED' ? await this.#refusal({ ref, name }) : error
    }
  }

  /** Where the chain ends, and up to where it was pruned. */
  async summary(chain: ActorKey): Promise<TraceSummary> {
    const { seq, hash, checkpoint } = await this.#describe(this.#chain(chain))
    return { head: { seq, hash }, checkpoint }
  }

  /** Reads all records again and checks each, up to where the chain ends now. */
  async verify(chain: ActorKey, { atLeast }: VerifyOptions = {}): Promise<TraceVerdict> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#verifyOnce(this.#chain(chain), atLeast)
      } catch (error) {
        // Somebody has pruned while this was reading: what is left is read anew.
        if (!(error instanceof TracePruned) || tries === TIMES) throw error
      }
    }
  }

  /**
   * The chain as JSON lines, as of now: the first says where it begins, the last where it ends, each in between is a record. In
   * memory is one segment at a time. Throws `TracePruned` if it is pruned while it is read, and `TraceBroken`.
   */
  async *export(chain: ActorKey): AsyncGenerator<string, void, void> {
    const here = this.#chain(chain)
    const description = await this.#describe(here)
    yield beginningLine(description)
    for await (const record of this.#records(here, description)) yield recordLine(record)
    yield endLine(description, description.mac)
  }

  /** What was appended, in order, as of now; with numbers, times and hashes. Throws like `export`. */
  async *read(chain: ActorKey): AsyncGenerator<Omit<TraceRecord, 'text'> & { readonly record: unknown }, void, void> {
    const here = this.#chain(chain)
    for await (const { text, ...rest } of this.#records(here, await this.#describe(here))) {
      yield { ...rest, record: JSON.parse(text) as unknown }
    }
  }

  /**
   * Removes all records through `through`, and keeps the hash of the last of them as a checkpoint. Beyond the end of the chain it
   * removes all. Resolves with the checkpoint; null where there is none and nothing was to be removed. What was changed before is
   * not noticed here: verify first. Rejects with `TraceBroken` if the last record to go is not what was appended.
   */
  async prune(chain: ActorKey, { through }: { readonly through: number }): Promise<TraceCheckpoint | null> {
    const here = this.#chain(chain)
    if (!Number.isSafeInteger(through) || through < 0) throw new TraceRecordRefused(here.name, `it cannot be pruned through ${through}`)
    for (let description = await this.#describe(here); ;) {
      const reach = reachOf(description, through)
      if (reach <= (description.checkpoint?.seq ?? 0)) return description.checkpoint
      const last = await this.#recordAt(here, description, reach)
      const { checkpoint } = description
      try {
        if (last !== undefined) await repeated(this.#pause, TIMES, () => here.ref.ask.prune({ last, secretId: this.#secretId }))
      } catch (error) {
        throw codeOf(error) === 'COMMAND_REJECTED' ? await this.#refusal(here) : error
      }
      description = await this.#describe(here)
      if (description.checkpoint?.seq === checkpoint?.seq) throw new TraceBroken(here.name, reach, 'it is not what was appended')
    }
  }

  /** Why a chain takes nothing. */
  async #refusal(here: Chain): Promise<Error> {
    const { seq, secretId } = await this.#describe(here)
    if (secretId !== this.#secretId && secretId !== '') return new TraceSecretWrong(here.name, 'the chain was begun with another one')
    return new TraceBroken(here.name, seq + 1, 'its end is not what was signed')
  }

  async #verifyOnce(here: Chain, atLeast: TraceHead | undefined): Promise<TraceVerdict> {
    let description: Description
    try {
      description = await this.#describe(here)
    } catch (error) {
      if (!isDamage(error)) throw error
      return broken(0, 'unreadable', `the chain's own row: ${messageOf(error)}`)
    }
    const verifier = new ChainVerifier(this.#secret, here.name)
    const start = verifier.begin(description.secretId, description.checkpoint)
    if (start !== undefined) return start
    let isReached = atLeast === undefined || atLeast.seq === 0
    try {
      for await (const record of this.#records(here, description)) {
        const fault = verifier.take(record)
        if (fault !== undefined) return fault
        isReached ||= record.seq === atLeast?.seq && record.hash === atLeast.hash
      }
    } catch (error) {
      if (!(error instanceof TraceBroken)) throw error
      return broken(verifier.next, 'unreadable', error.message)
    }
    return reached(verifier.end(description, description.mac), isReached, atLeast)
  }

  /** The records that a description speaks of, segment by segment. */
  async *#records(here: Chain, description: Description): AsyncGenerator<TraceRecord, void, void> {
    const { seq, segmentRecords, checkpoint } = description
    const from = checkpoint?.seq ?? 0
    if (seq === from) return
    const last = segmentOf(seq, segmentRecords)
    for (let segment = segmentOf(from + 1, segmentRecords); segment <= last; segment += 1) {
      const records = await this.#segment(here, description, segment)
      for (const record of records) if (record.seq > from && record.seq <= seq) yield record
    }
  }

  /** What is stored of a segment. */
  async #segment(here: Chain, description: Description, segment: number): Promise<readonly TraceRecord[]> {
    const { segmentRecords, seq, checkpoint } = description
    const first = firstOf(segment, segmentRecords)
    if (seq < first + segmentRecords - 1) {
      // It was not full then; by now it may be.
      const tail = await repeated(this.#pause, TIMES, () => here.ref.ask.tail())
      const now = await this.#describe(here)
      await this.#requireUnpruned(here, description, now)
      if (segmentOf(now.seq + 1, segmentRecords) === segment) return tail
    }
    const stored = await this.#full(here, segment, first)
    if (stored.through > (checkpoint?.seq ?? 0)) await this.#requireUnpruned(here, description, await this.#describe(here))
    return stored.records
  }

  /** A full segment. Its records are on their way to it in the commit that has filled it, so they come, soon. */
  async #full(
    here: Chain,
    segment: number,
    first: number,
  ): Promise<{ readonly through: number; readonly records: readonly TraceRecord[] }> {
    const ref = this.#system.actor(this.#parts.segments, segmentKey(here.name, segment))
    for (let looks = 1; looks <= LOOKS_MAX; looks += 1) {
      try {
        const state = await repeated(this.#pause, TIMES, () => ref.ask.read())
        if (state.isFull) return state
      } catch (error) {
        if (isDamage(error))
          throw new TraceBroken(here.name, first, `segment ${segment} cannot be read: ${messageOf(error)}`, { cause: error })
        throw error
      }
      await this.#pause(Math.min(LOOK_MS_MAX, looks))
    }
    throw new TraceBroken(here.name, first, `segment ${segment} is not there, unless it is among the dead letters`)
  }

  /** A prune that somebody made meanwhile. What only looks like one is left for the verifier to find. */
  async #requireUnpruned({ name }: Chain, before: Description, now: Description): Promise<void> {
    const through = now.checkpoint?.seq ?? 0
    if (through > (before.checkpoint?.seq ?? 0)) throw new TracePruned(name, through)
  }

  async #recordAt(here: Chain, description: Description, seq: number): Promise<TraceRecord | undefined> {
    try {
      const records = await this.#segment(here, description, segmentOf(seq, description.segmentRecords))
      const found = records.find((record) => record.seq === seq)
      if (found === undefined) throw new TraceBroken(here.name, seq, 'it is not there')
      return found
    } catch (error) {
      if (error instanceof TracePruned) return undefined
      throw error
    }
  }

  async #describe({ ref }: Chain): Promise<Description> {
    return await repeated(this.#pause, TIMES, () => ref.ask.describe())
  }

  #chain(key: ActorKey): Chain {
    const name = encodeKey(this.#definition.type, key)
    // The keys of its segments are longer; better to hear of it now than when the first one is full.
    encodeKey(this.#parts.segments.type, [name, LONGEST_NUMBER])
    return { name, ref: this.#system.actor(this.#definition, key) }
  }

  #textOf(chain: string, record: unknown): string {
    const { redact, recordBytesMax } = this.#parts.rules
    let text: string | undefined
    try {
      text = JSON.stringify(redact(record)) as string | undefined // Its type does not say so.
    } catch (error) {
      throw new TraceRecordRefused(chain, `JSON cannot carry it (${messageOf(error)})`)
    }
    if (text === undefined) throw new TraceRecordRefused(chain, 'JSON cannot carry it')
    if (!text.isWellFormed()) throw new TraceRecordRefused(chain, 'it is not well-formed Unicode')
    const bytes = Buffer.byteLength(text)
    if (bytes > recordBytesMax) throw new TraceRecordRefused(chain, `it has ${bytes} bytes, at most ${recordBytesMax} are taken`)
    // What JSON reads back is what is signed: an export is read and written again when it is verified.
    return JSON.stringify(JSON.parse(text))
  }
}

/** One chain. */
interface Chain {
  readonly name: string
  readonly ref: RefOf<TraceDefinition>
}

/** Whether an error says that what is stored cannot be read. */
function isDamage(error: unknown): boolean {
  const code = codeOf(error)
  return (
    code === 'STORE_DAMAGED' ||
    code === 'ACTIVATION_FAILED' ||
    code === 'NO_MIGRATION' ||
    code === 'ACTOR_QUARANTINED' ||
    code === 'COMMAND_FAILED'
  )
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
