/**
 * Handles: short names for results that are too large, or too sensitive, to be passed around. Whoever shows a handle gets the part
 * of the rows that was granted when it was stored, and is granted now.
 */
import { IdempotencyConflict, InvalidInput } from '@bailiwick/kernel'
import type { System } from '@bailiwick/kernel'
import { realSurroundings } from '../seams.ts'
import type { Surroundings } from '../seams.ts'
import type { HandlesDefinition } from './define-handles.ts'
import { HandleEvicted, HandleTooLarge } from './errors.ts'
import type { HandleDenied, HandleGrant, HandleRow, HandlePage, HandleSelection } from './grant.ts'

/** What is stored. */
export interface HandleRequest {
  /** Rows of JSON values; what else is in them is lost as JSON loses it. */
  readonly rows: readonly HandleRow[]
  /** Who may expand it: nobody else then, also nobody who does not say who it is. Default: whoever has the handle. */
  readonly principal?: string
  /** What of the rows may ever be seen. Default: all. */
  readonly grant?: HandleGrant
  /** The same key for the same request answers the same handle; see `IdempotencyConflict`. */
  readonly idempotencyKey?: string
}

/** A handle that was stored. */
export interface StoredHandle {
  readonly handle: string
  /** From this moment on it leads nowhere, in milliseconds since 1970. */
  readonly expires: number
}

/** Who shows a handle, and what is wanted of it. */
export interface HandleExpandRequest extends HandleSelection {
  readonly principal?: string
  /** What whoever shows it is granted now. What the handle was granted counts as well. Default: all. */
  readonly grant?: HandleGrant
}

/** What has come of an expansion. */
export type HandleExpansion =
  | HandlePage
  | HandleDenied
  /** `mismatch`: it belongs to another principal. `expired`: its time is over; it is removed by this answer. `not-found`: it leads nowhere. */
  | { readonly outcome: 'mismatch' | 'expired' | 'not-found' }

/** What has come of a release. */
export interface HandleRelease {
  readonly outcome: 'released' | 'mismatch' | 'expired' | 'not-found'
}

const NONCE_BYTES = 16
const FORM = /^(0|[1-9]\d{0,14})\.([\w-]{22})$/
const GONE = { outcome: 'not-found' } as const

/** Stores, expands and releases handles. It holds no state: a handle of one is good with every other of the same system. */
export class Handles {
  readonly #system: Pick<System, 'actor'>
  readonly #definition: HandlesDefinition
  readonly #surroundings: Surroundings

  constructor(system: Pick<System, 'actor'>, definition: HandlesDefinition, surroundings: Surroundings = realSurroundings) {
    this.#system = system
    this.#definition = definition
    this.#surroundings = surroundings
  }

  /** Stores rows and answers their handle. Rejects with `HandleTooLarge`, `HandleEvicted`, `IdempotencyConflict`, and as every ask does. */
  async store({ rows, principal, grant = {}, idempotencyKey }: HandleRequest): Promise<StoredHandle> {
    const text = textOf(rows)
    const ring = this.#system.actor(this.#definition, ['ring'])
    const place = await ring.ask.allocate({ bytes: Buffer.byteLength(text) }, idempotencyKey === undefined ? {} : { idempotencyKey })
    if (place.outcome === 'too-large') throw new HandleTooLarge(Buffer.byteLength(text), place.bytesMax)
    if (place.outcome !== 'allocated') throw wrong()
    const { number, slot } = place
    const actor = this.#system.actor(this.#definition, ['slot', String(slot)])
    const nonce = Buffer.from(this.#surroundings.randomBytes(NONCE_BYTES)).toString('base64url')
    // Its number is its idempotency key: put again, it is the same handle, and the first nonce counts.
    const stored = await actor.ask.put({ number, nonce, grant, rows: text, ...(principal === undefined ? {} : { principal }) })
    if (stored.outcome === 'conflict') throw new IdempotencyConflict(actor.address, 'put', idempotencyKey ?? '')
    if (stored.outcome === 'evicted') throw new HandleEvicted()
    if (stored.outcome !== 'stored') throw wrong()
    return { handle: `${slot}.${stored.nonce}`, expires: stored.expires }
  }

  /**
   * What a handle stands for, as far as it may be seen. After its time the first to ask hears `expired`, everybody after that
   * `not-found`. Rejects with `InvalidInput` for an offset or limit that is no whole number from 0, and as every ask does.
   */
  async expand(handle: string, request: HandleExpandRequest = {}): Promise<HandleExpansion> {
    const found = this.#find(handle, request.principal)
    if (found === undefined) return GONE
    const { fields, filter, offset, limit, grant = {} } = request
    const page = await found.ask.read({ ...found.shown, grant, fields, filter, offset, limit })
    if (page.outcome !== 'expired') return page
    const { outcome } = await found.ask.collect(found.shown)
    if (outcome === 'expired' || outcome === 'mismatch') return { outcome }
    return GONE
  }

  /** Removes a handle before its time. Its place is given out again when its turn comes. */
  async release(handle: string, request: { readonly principal?: string; readonly idempotencyKey?: string } = {}): Promise<HandleRelease> {
    const found = this.#find(handle, request.principal)
    if (found === undefined) return GONE
    const { idempotencyKey } = request
    // A command to a slot that nobody uses would make it one that somebody has used.
    const seen = await found.ask.read({ ...found.shown, grant: {}, limit: 0 })
    if (seen.outcome === 'not-found' && idempotencyKey === undefined) return GONE
    const { outcome } = await found.ask.release(found.shown, idempotencyKey === undefined ? {} : { idempotencyKey })
    if (outcome === 'released' || outcome === 'expired' || outcome === 'mismatch') return { outcome }
    return GONE
  }

  #find(handle: string, principal: string | undefined) {
    const [, slot, nonce] = FORM.exec(handle) ?? []
    if (slot === undefined || nonce === undefined) return undefined
    const { ask } = this.#system.actor(this.#definition, ['slot', slot])
    return { ask, shown: principal === undefined ? { nonce } : { nonce, principal } }
  }
}

/** Rows as JSON. What is no list of rows is refused here: further on it is only text. */
function textOf(rows: readonly HandleRow[]): string {
  const refused = (field: string, detail: string): InvalidInput => new InvalidInput('Handles.store', field, detail)
  if (!Array.isArray(rows)) throw refused('rows', 'must be a list of objects')
  let text: string
  try {
    text = JSON.stringify(rows)
  } catch (error) {
    throw refused('rows', `JSON cannot carry them (${error instanceof Error ? error.message : String(error)})`)
  }
  // What JSON has made of them counts: a date among them, for instance, is a text now.
  const index = (JSON.parse(text) as readonly unknown[]).findIndex((row) => typeof row !== 'object' || row === null || Array.isArray(row))
  if (index !== -1) throw refused(`rows.${index}`, 'must be an object')
  return text
}

function wrong(): Error {
  return new Error('The actor of handles has answered something else.')
}
