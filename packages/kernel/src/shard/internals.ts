/** Serving what comes from inside an actor: events of its children and actions, ticks of its timers, news of its turns. */
import type { DueTimer } from '@bailiwick/store'
import { AskTimeout, ReplyOverdue, ShardCrashed } from '../errors.ts'
import type { EventLike, Hosted } from '../hosting/host.ts'
import { closeCall, eventOfAnswer, NOBODY, settleReply } from './calls.ts'
import type { Cell, Internal } from './cell.ts'
import type { ShardCore } from './core.ts'
import { bury } from './dead-letters.ts'
import { Gauge } from './gauges.ts'
import { leaseOfTimer } from './lease.ts'
import { expireLease } from './lease-service.ts'
import { callOfTimer } from './open-call.ts'
import { plainError } from './parcels.ts'
import { checkChildren, serveStep } from './service.ts'
import { tap } from './tap.ts'
import { expireTurn, serveNews } from './turn-service.ts'

/** Handles what comes from inside an actor. What the state does not take is dropped, as XState does. */
export function serveInternal(core: ShardCore, cell: Cell, hosted: Hosted, internal: Internal): void {
  if (internal.tag === 'turn') {
    serveNews(core, cell, hosted, internal.news)
    return
  }
  if (internal.tag === 'tick' && !takeTick(core, cell, internal.timer, internal)) return
  if (internal.tag === 'ring') {
    if (internal.isCancelled) return
    internal.next?.()
  }
  core.batch.touch(cell)
  try {
    if (internal.tag === 'wake') return
    if (internal.tag === 'store') {
      checkChildren(cell, hosted)
      core.markDirty(cell)
      return
    }
    if (internal.tag === 'event') serveStep(core, cell, hosted, internal.event, NOBODY)
    else if (internal.tag === 'ring') serveTick(core, cell, hosted, internal.name, internal.event)
    else serveTick(core, cell, hosted, internal.timer.name, JSON.parse(internal.timer.event) as EventLike) // Written by `ShardTimers`.
  } catch (error) {
    core.count(Gauge.failed)
    core.report(error)
    core.supervisor.failed(cell, { error, because: nameOf(internal), isOwn: true })
  }
}

/** Takes a tick, unless it is void or has ended a thread: then it is kept as a dead letter. */
function takeTick(core: ShardCore, cell: Cell, timer: DueTimer, tick: Extract<Internal, { tag: 'tick' }>): boolean {
  if (!core.timers.take(tick)) return false
  const { name, dueAt, event } = timer
  if (!name.startsWith('~')) tap(core, { kind: 'timer.fired', actor: cell.address, name, dueAt })
  const reason = core.poison.generations.get(timer.generation)
  if (reason === undefined) return true
  core.batch.touch(cell)
  const { storedAs: type } = cell.kind.definition
  const input = JSON.parse(event) as EventLike // Written by `ShardTimers`.
  const error = new ShardCrashed(reason)
  bury(core, { type, key: cell.key, command: input.type, lane: 0, input, detail: { isEvent: true } }, error)
  core.supervisor.failed(cell, { error, because: `timer ${name}`, isOwn: true, isDeath: true })
  return false
}

/** What has failed, for people. */
function nameOf(internal: Exclude<Internal, { tag: 'turn' }>): string {
  if (internal.tag === 'tick') return internal.timer.name.startsWith('~') ? 'a timer' : `timer ${internal.timer.name}`
  return internal.tag === 'store' || internal.tag === 'wake' ? 'a child' : internal.event.type
}

function serveTick(core: ShardCore, cell: Cell, hosted: Hosted, name: string, event: EventLike): void {
  const call = callOfTimer(name)
  const lease = leaseOfTimer(name)
  if (call !== undefined) expireCall(core, cell, hosted, call)
  else if (lease === undefined) serveStep(core, cell, hosted, event, NOBODY)
  else expireLease(core, cell, hosted, lease)
}

/** Ends an open call whose time is over. */
function expireCall(core: ShardCore, cell: Cell, hosted: Hosted, sequence: number): void {
  const call = cell.openCalls?.get(sequence)
  switch (call?.kind) {
    case undefined:
    case 'watch':
      return
    case 'turn':
      expireTurn(core, cell, sequence)
      return
    case 'reply': {
      const withinMs = cell.kind.definition.commands.get(call.command)?.replyWithinMs ?? 0
      const error = new ReplyOverdue(cell.address, call.command, withinMs)
      settleReply(core, cell, call, { error, isRecorded: false, isTriedAgain: false })
      return
    }
    case 'request': {
      closeCall(core, cell, sequence)
      const error = plainError(new AskTimeout(call.to, call.command, call.timeoutMs))
      serveStep(core, cell, hosted, eventOfAnswer(call, { error }), { cause: call.cause, chain: call.chain ?? NOBODY.chain })
    }
  }
}
