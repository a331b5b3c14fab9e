/**
 * Watches: an actor hears once that another has come to its end or is held back, and nothing of its restarts.
 *
 * A watch is an open call at both ends: a request of the one who watches, without a time limit, and an answer that the watched
 * actor owes. So it survives passivation, restarts and crashes of both, crosses shards like any message, and is answered
 * once; and an unwatch that comes before the notice is handled makes the notice a late answer, which takes no effect.
 */
import { addressOf, encodeKey } from '../definition/key.ts'
import type { ActorDefinition } from '../definition/define-actor.ts'
import { checkName } from '../definition/input.ts'
import { InvalidInput, MailboxFull } from '../errors.ts'
import type { Hosted } from '../hosting/host.ts'
import type { UnwatchWish, WatchWish } from '../hosting/wish.ts'
import { closeCall, openCall } from './calls.ts'
import type { Behalf } from './calls.ts'
import type { Cell, Waiting } from './cell.ts'
import type { ShardCore } from './core.ts'
import type { Caller, Parcel } from './detail.ts'
import type { OpenRequest, OpenWatch } from './open-call.ts'
import { answerCaller, deliver, plainError } from './parcels.ts'
import type { WatchesPart } from './parts.ts'

/** Types of the events with which actors watch each other. No command can have such a name. */
export const WATCH = 'bailiwick.watch'
export const UNWATCH = 'bailiwick.unwatch'

/** How many actors may watch one, and how many one may watch. */
const WATCHES_MAX = 10_000

/** A watch whose definition, key and event have been checked. */
export interface CheckedWatch {
  readonly kind: 'watch' | 'unwatch'
  readonly type: string
  readonly key: string
  readonly address: string
  readonly event: string
}

/** Checks a wish to watch. Throws `InvalidInput`, naming the field. */
export function checkWatch(core: ShardCore, cell: Cell, wish: WatchWish | UnwatchWish): CheckedWatch {
  const operation = `${wish.kind} of ${cell.address}`
  const given = wish.definition as ActorDefinition | undefined // Modules that import each other may get around its type.
  const kind = given === undefined ? undefined : core.kindOf(given.storedAs)
  if (kind === undefined) throw new InvalidInput(operation, 'definition', 'is not among the actors that the system was opened with')
  if (!cell.kind.isDurable) throw new InvalidInput(operation, 'definition', 'cannot be watched by a volatile actor, which keeps nothing')
  const { storedAs, type } = kind.definition
  const key = encodeKey(type, wish.key)
  const event = wish.kind === 'watch' ? checkName(operation, 'event', wish.event) : ''
  if (wish.kind === 'watch' && watchesOf(cell).length >= WATCHES_MAX)
    throw new InvalidInput(operation, 'key', `is one too many: an actor watches at most ${WATCHES_MAX}`)
  return { kind: wish.kind, type: storedAs, key, address: addressOf(type, key), event }
}

/** Begins or ends a watch, as part of the open batch. */
export function performWatch(
  core: ShardCore,
  cell: Cell,
  { kind, type, key, address, event }: CheckedWatch,
  { chain, cause }: Behalf,
): void {
  const known = watchesOf(cell).find(({ to }) => to === address)
  if (kind === 'watch' && known !== undefined) {
    // The same watch with another name for its notice.
    const changed: OpenRequest = { ...known, onDone: event, onError: event }
    cell.openCalls?.set(known.sequence, changed)
    core.batch.openCall(core.numberOf(cell), changed, false)
    core.markDirty(cell)
    return
  }
  if (kind === 'unwatch' && known === undefined) return
  const sequence = known?.sequence ?? core.takeSequence()
  if (known === undefined) {
    const call = {
      kind: 'request',
      sequence,
      to: address,
      command: WATCH,
      onDone: event,
      onError: event,
      timeoutMs: 0,
      chain,
      cause,
    } as const
    openCall(core, cell, call, undefined)
  } else closeCall(core, cell, sequence)
  const caller: Caller = { type: cell.kind.definition.storedAs, key: cell.key, request: sequence }
  const name = kind === 'watch' ? WATCH : UNWATCH
  const input = kind === 'watch' ? { type: name } : { type: name, watch: sequence }
  deliver(core, { type, key, command: name, lane: 0, input, detail: { isEvent: true, caller, from: cell.address } })
}

/** Serves the wish of another actor to watch this one, or not any more. */
export function serveWatch(core: ShardCore, cell: Cell, hosted: Hosted, waiting: Waiting, type: string): void {
  const caller = waiting.detail?.caller
  if (caller === undefined) return
  if (type === UNWATCH) {
    for (const call of watchersOf(cell)) {
      const [watcher] = call.callers
      if (watcher?.request === caller.request && watcher.type === caller.type && watcher.key === caller.key)
        closeCall(core, cell, call.sequence)
    }
    return
  }
  const { status } = hosted.snapshot
  if (status !== 'active') {
    answerCaller(core, caller, noticeOf(cell, status === 'done' ? 'done' : 'failed', null))
    return
  }
  if (watchersOf(cell).length >= WATCHES_MAX) {
    answerCaller(core, caller, { error: plainError(new MailboxFull(cell.address, 'mailbox', WATCHES_MAX)) })
    return
  }
  openCall(core, cell, { kind: 'watch', sequence: core.takeSequence(), callers: [caller] }, undefined)
}

/** Tells those who watch. */
export class Watches implements WatchesPart {
  readonly #core: ShardCore

  constructor(core: ShardCore) {
    this.#core = core
  }

  /** Answers a watch of an actor that is held back: there is nothing to wait for. False if the message is no watch. */
  answerHeld(cell: Cell, { command, detail }: Pick<Parcel, 'command' | 'detail'>): boolean {
    const held = this.#core.supervisor.heldOf(cell.kind, cell.key)
    if (held === undefined || detail?.caller === undefined || command !== WATCH) return false
    answerCaller(this.#core, detail.caller, noticeOf(cell, held.mode, held.error))
    return true
  }

  /** An actor has come to its end, or is held back. */
  halted(
    cell: Cell,
    reason: 'done' | 'failed' | 'quarantined' | 'stopped',
    error: { readonly code: string; readonly message: string } | null,
  ): void {
    for (const call of watchersOf(cell)) {
      closeCall(this.#core, cell, call.sequence)
      for (const caller of call.callers) answerCaller(this.#core, caller, noticeOf(cell, reason, error))
    }
  }
}

/** What the one who watches hears. */
function noticeOf(cell: Cell, reason: string, error: { readonly code: string; readonly message: string } | null): object {
  return { actor: cell.address, reason, ...(error === null ? {} : { failure: error }) }
}

function watchesOf(cell: Cell): readonly OpenRequest[] {
  const found: OpenRequest[] = []
  for (const call of cell.openCalls?.values() ?? []) if (call.kind === 'request' && call.command === WATCH) found.push(call)
  return found
}

function watchersOf(cell: Cell): readonly OpenWatch[] {
  const found: OpenWatch[] = []
  for (const call of cell.openCalls?.values() ?? []) if (call.kind === 'watch') found.push(call)
  return found
}
