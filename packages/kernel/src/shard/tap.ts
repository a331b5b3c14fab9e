/** Telling the tap what happens, as part of the batch in which it does. Free when nobody reads: one look at a flag. */
import { encodeError } from '../errors.ts'
import { handlingId } from '../protocol/tap.ts'
import type { ShardTapEvent, TapError } from '../protocol/tap.ts'
import type { Cell, Waiting } from './cell.ts'
import type { ShardCore } from './core.ts'
import { Gauge } from './gauges.ts'
import { PRIORITIES } from './lanes.ts'

/** How many events one batch tells at most. */
const EVENTS_MAX = 20_000

/** Tells an event once the open batch is committed. */
export function tap(core: ShardCore, event: ShardTapEvent): void {
  if (!core.isTapped) return
  const { taps } = core.batch
  if (taps.length < EVENTS_MAX) taps.push(event)
  else {
    core.batch.tapsLost += 1
    core.count(Gauge.tapLost)
  }
}

/** An error as the tap tells it. */
export function tapErrorOf(error: unknown): TapError {
  const { code, message } = encodeError(error)
  return { code, message }
}

/** Begins the handling of a command: what it sends names it as the cause. */
export function beginHandling(core: ShardCore): void {
  if (!core.isTapped) return
  core.handlings += 1
  core.handling = core.handlings
}

/** Tells how the handling of a command has ended. */
export function tapHandled(core: ShardCore, cell: Cell, waiting: Waiting, outcome: string, error?: Error): void {
  if (!core.isTapped) return
  const { detail, tag, lane, at, command } = waiting
  const { taps } = core.batch
  const number = core.handling ?? (core.handlings += 1)
  const name = command?.name ?? ''
  const waitedMs = Math.max(0, core.batch.at - at)
  if (outcome === 'ok' && tag === 'ask' && detail === undefined && taps.length < EVENTS_MAX) {
    taps.push([number, cell.address, name, lane, waitedMs, cell.revision])
    return
  }
  tap(core, {
    kind: 'command.handled',
    actor: cell.address,
    command: name,
    id: handlingId(core.life, number),
    ...(detail?.via === undefined ? {} : { cause: detail.via }),
    ...(detail?.from === undefined ? {} : { from: detail.from }),
    call: detail?.from !== undefined ? 'message' : tag === 'ask' ? 'ask' : 'tell',
    lane: PRIORITIES[lane],
    outcome,
    ...(error === undefined ? {} : { error: tapErrorOf(error) }),
    waitedMs,
    revision: cell.revision,
  })
}
