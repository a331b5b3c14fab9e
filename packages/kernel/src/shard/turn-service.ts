/**
 * Serving turns: what happens to an actor, its machine and its callers as a turn is accepted, begins, is interrupted,
 * ends, or is found cut off after a crash. Everything here is a change of the open batch; the running itself is in
 * `turn-runs.ts` and begins, or hears its signal, after the commit.
 *
 * | what comes | state before | leads to |
 * |---|---|---|
 * | the command | – | `pending`; perhaps an intent for the turn that runs |
 * | nobody runs, no command waits to be served | `pending`, `parked` | `running`, next epoch: `<command>.started` or `.resumed` |
 * | the stretch ends, no intent | `running` | `ended`: `.done` or `.failed`; or `pending` again, if it may be tried once more |
 * | the stretch ends, or is ended by force, with an intent | `running` | steal: `parked`; abort-keep: `pending` without frame; abort-drop, timed-out: `ended` |
 * | an intent | `parked`, `pending` | abort-keep: `pending` without frame; abort-drop, timed-out: `ended` |
 * | the shard starts again | `running` | with a frame `parked`, else `pending`; what was intended still counts |
 * | anything from an older epoch | any | nothing: it is counted and listed as late |
 */
import { decodeKey } from '../definition/key.ts'
import type { TurnOutcome } from '../definition/turn.ts'
import type { TurnCause } from '../definition/turn-context.ts'
import {
  asError,
  CommandFailed,
  CommandRejected,
  messageOf,
  ReplyOverdue,
  ShardCrashed,
  StaleEpoch,
  SystemClosed,
  TurnTimeout,
  UnknownCommand,
} from '../errors.ts'
import type { EventLike, Hosted } from '../hosting/host.ts'
import type { Outcome } from '../outcomes.ts'
import { answer } from './answers.ts'
import { awaitReply, cycleOf, NOBODY, openCall, refusalOfOpenCall, settleReply } from './calls.ts'
import type { Settlement } from './calls.ts'
import type { Cell, TurnNews, Waiting } from './cell.ts'
import type { ShardCore } from './core.ts'
import { bury } from './dead-letters.ts'
import { Gauge } from './gauges.ts'
import { staleLeaseOf } from './lease-fence.ts'
import type { OpenReply } from './open-call.ts'
import { plainError } from './parcels.ts'
import { intend, preempt, preemptOf, rankOf, saveTurn } from './preemption.ts'
import { describeState, finish, openReplyOf, serveInstant, serveStep, settleError } from './service.ts'
import { Session } from './session.ts'
import type { Intent, TurnRecord, TurnState } from './session.ts'
import { checkResult } from './turn-result.ts'
import { tap } from './tap.ts'

/** Fewer than the deaths after which a thread is given up. */
const CRASHES_MAX = 3
/** A turn that is known to end its thread before it yields first is tried no more than so often. */
const POISON_CRASHES = 2
/** What a stretch came to that was ended by force. */
const FORCED = { error: new Error('It was ended by force.') }

/** Accepts a turn, or a command that waits for the session. */
export function serveTurn(core: ShardCore, cell: Cell, hosted: Hosted, waiting: Waiting): void {
  core.batch.touch(cell)
  try {
    accept(core, cell, hosted, waiting)
    core.count(Gauge.handled)
  } catch (error) {
    core.count(error instanceof CommandRejected ? Gauge.rejected : Gauge.failed)
    settleError(core, cell, waiting, asError(error))
  }
  finish(core, waiting)
}

function accept(core: ShardCore, cell: Cell, hosted: Hosted, waiting: Waiting): void {
  const { command, detail } = waiting
  const name = command?.name ?? ''
  const stale = staleLeaseOf(core, cell, name, detail?.lease)
  if (stale !== undefined) throw stale
  if (waiting.tag === 'ask' && core.turns.isClosing) throw new SystemClosed(false)
  if (!isTaken(cell, hosted, waiting)) throw new CommandRejected(cell.address, name, describeState(hosted))
  const refusal = cycleOf(core, cell, detail?.chain) ?? refusalOfOpenCall(cell)
  if (refusal !== undefined) throw refusal
  const call = openReplyOf(core, waiting, 'turn')
  openCall(core, cell, call, command?.replyWithinMs ?? 0)
  if (waiting.tag === 'ask')
    awaitReply(core, call.sequence, {
      call: waiting.call,
      cell,
      waiting: undefined,
      isFollowed: detail?.isFollowed === true,
      isForTurn: true,
    })
  else answer(core, cell, waiting.call, undefined)
  cell.session ??= new Session(0)
  const { session } = cell
  const record: TurnRecord = {
    id: call.sequence,
    command: name,
    rank: rankOf(cell, waiting),
    isPreemptible: command?.turn?.preemptible ?? false,
    isInstant: command?.turn === undefined,
    state: 'pending',
    attempt: 0,
    failures: 0,
    crashes: 0,
    epoch: 0,
    intent: undefined,
    since: core.batch.at,
    heldOffMs: 0,
    history: [],
    frame: undefined,
    outcome: undefined,
  }
  session.turns.set(record.id, record)
  saveTurn(core, cell, record)
  preempt(core, cell, session, { mode: preemptOf(waiting), rank: record.rank, by: { command: name, turn: record.id } })
}

/** Whether the present state takes an ordinary command. Nothing happens; what throws is found out when it is served. */
export function wouldTake(cell: Cell, { command, input }: Waiting): boolean {
  if (cell.hosted === undefined || command === undefined) return false
  try {
    return cell.kind.host.transition(cell.hosted, { ...input, type: command.name }).isAccepted
  } catch {
    return false
  }
}

function isTaken(cell: Cell, { snapshot }: Hosted, { command, input }: Waiting): boolean {
  if (command?.turn === undefined) return true
  if (snapshot.status !== 'active') return false
  const { when } = command.turn
  const state = { context: snapshot.context, value: snapshot.value, snapshot, input: input ?? {}, key: decodeKey(cell.key) }
  try {
    return when === undefined || when(state as never) // Its argument is typed by the logic, which this snapshot is of.
  } catch (error) {
    throw new CommandFailed(cell.address, command.name, messageOf(error), { cause: error })
  }
}

/** Handles news of a turn. */
export function serveNews(core: ShardCore, cell: Cell, hosted: Hosted, news: TurnNews): void {
  core.batch.touch(cell)
  core.batch.turnNews.push({ cell, news })
  const record = news.kind === 'recover' ? undefined : runningTurn(cell, news)
  switch (news.kind) {
    case 'recover':
      recover(core, cell, hosted)
      return
    case 'ended':
      if (record === undefined) late(core, cell, news, 'result', isResult(news.result))
      else endStretch(core, cell, hosted, record, news)
      return
    case 'drained':
      if (record?.intent === undefined) return
      core.turns.force(news.id, news.epoch)
      core.count(Gauge.turnsForced)
      endStretch(core, cell, hosted, record, undefined)
      return
    case 'interrupted':
      if (record !== undefined) intend(core, cell, record, news.interruption)
      return
    case 'checkpoint':
      if (record === undefined) late(core, cell, news, 'checkpoint', true)
      else {
        const frame = news.take()
        const isProgress = frame !== record.frame
        record.frame = frame
        if (record.crashes > 0 && isProgress) {
          // It makes progress: the crashes are not its fault, or not only.
          record.crashes = 0
          saveTurn(core, cell, record)
        }
        core.batch.framesSaved.set(record.id, frame)
        core.batch.framesGone.delete(record.id)
      }
      core.batch.checkpoints.push({ news, stale: record === undefined ? staleOf(cell, news) : undefined })
  }
}

/** What is due for the turns of an actor: intents against turns that do not run, and the next turn, if none runs. */
export function advance(core: ShardCore, cell: Cell, hosted: Hosted): void {
  const { session } = cell
  if (session === undefined || session.turns.size === 0) return
  for (;;) {
    while (session.hasIntents) {
      session.hasIntents = false
      for (const record of session.turns.values()) {
        if (record.state !== 'running' && record.intent !== undefined) applyIntent(core, cell, hosted, session, record, record.intent)
      }
    }
    if (session.holder !== undefined || core.turns.isClosing) return
    const record = session.next(cell.kind.definition.turns.maxBurst)
    if (record === undefined || mustWait(cell, session)) return
    // What the machine hears of it may lead to intents again.
    grant(core, cell, hosted, session, record)
  }
}

/** Ends a turn whose whole time is over. */
export function expireTurn(core: ShardCore, cell: Cell, id: number): void {
  const record = cell.session?.turns.get(id)
  if (record !== undefined) intend(core, cell, record, { mode: 'timed-out', by: { reason: 'its whole time is over' } })
}

/** A turn does not begin while commands wait to be served, among which may be one that goes before it; up to the starvation bound. */
function mustWait({ kind, mailbox }: Cell, session: Session): boolean {
  const isEmpty = mailbox === undefined || mailbox.size === mailbox.postponed
  if (isEmpty || session.waits >= kind.definition.mailbox.starvationBound) return false
  session.waits += 1
  return true
}

function grant(core: ShardCore, cell: Cell, hosted: Hosted, session: Session, record: TurnRecord): void {
  const call = callOf(cell, record)
  const stale = staleLeaseOf(core, cell, record.command, call.lease)
  if (stale !== undefined) {
    endStale(core, cell, hosted, session, record, stale)
    return
  }
  const isResumed = record.state === 'parked'
  session.grant(record, core.batch.at)
  saveTurn(core, cell, record)
  saveSession(core, cell, session)
  if (record.isInstant) {
    session.release(record, 'ended', { to: core.batch.at, outcome: 'ok' })
    saveSession(core, cell, session)
    serveInstant(core, cell, hosted, call)
    closeTurn(core, cell)
    return
  }
  if (cell.kind.definition.commands.get(record.command)?.turn === undefined) {
    // Its definition has changed since it was accepted.
    endWith(core, cell, hosted, session, record, { outcome: 'failed', error: new UnknownCommand(cell.address, record.command) })
    saveSession(core, cell, session)
    return
  }
  core.batch.turnStarts.push({ cell, record: { ...record }, call })
  say(core, cell, hosted, call, record, isResumed ? 'resumed' : 'started', {})
}

/** Ends what has waited for the session longer than the lease was held under which it was sent. */
function endStale(core: ShardCore, cell: Cell, hosted: Hosted, session: Session, record: TurnRecord, error: Error): void {
  const call = callOf(cell, record)
  session.move(record, 'ended', core.batch.at)
  record.outcome = { outcome: 'stale' }
  saveTurn(core, cell, record)
  closeTurn(core, cell)
  settleReply(core, cell, call, { error, isRecorded: false, isTriedAgain: false })
  if (!record.isInstant) say(core, cell, hosted, call, record, 'failed', { outcome: 'stale', error: plainError(error) })
}

/** Decides what becomes of a turn whose stretch has ended. */
function endStretch(
  core: ShardCore,
  cell: Cell,
  hosted: Hosted,
  record: TurnRecord,
  news: Extract<TurnNews, { kind: 'ended' }> | undefined,
): void {
  const { session } = cell
  if (session === undefined) return
  const { intent, id, epoch } = record
  const isForced = news === undefined
  const result = news?.result ?? FORCED
  record.crashes = 0
  core.turns.settled(id, epoch)
  // Who takes the session does not say that the work is wrong: what was ready before the signal counts.
  const isReady = news?.isSignaled === false && (intent?.mode === 'steal' || intent?.mode === 'timed-out')
  if (intent !== undefined && !isReady) {
    late(core, cell, { id, epoch }, 'result', isResult(result))
    const outcome: Outcome = intent.mode === 'timed-out' ? 'timed-out' : 'cancelled'
    const { mode, by } = intent
    session.release(record, 'pending', { to: core.batch.at, outcome, mode, by, ...(isForced ? { isForced } : {}) })
    // A lease that is taken away without being handed over is fenced as well.
    if (mode !== 'steal') session.epoch += 1
    record.intent = intent
    applyIntent(core, cell, hosted, session, record, intent)
  } else if ('value' in result) {
    endWith(core, cell, hosted, session, record, checkResult(cell, record.command, result.value))
  } else if (isRetryable(result.error) && record.failures + 1 < maxAttemptsOf(cell, record)) {
    record.failures += 1
    session.release(record, 'pending', { to: core.batch.at, outcome: 'failed' })
    saveTurn(core, cell, record)
    if (core.isTapped) tapTurn(core, cell, record, 'requeued', { outcome: 'failed' })
  } else {
    endWith(core, cell, hosted, session, record, { outcome: 'failed', error: result.error })
  }
  saveSession(core, cell, session)
}

/** Ends a turn that has come to its end by itself. */
function endWith(
  core: ShardCore,
  cell: Cell,
  hosted: Hosted,
  session: Session,
  record: TurnRecord,
  result: ReturnType<typeof checkResult>,
): void {
  const { outcome } = result
  session.release(record, 'ended', { to: core.batch.at, outcome })
  if (result.outcome === 'ok') {
    finishTurn(core, cell, hosted, record, { outcome: 'ok', value: result.value }, 'done', { outcome, output: result.value })
    return
  }
  const error = plainError(result.error)
  const ending: TurnOutcome<unknown> = result.outcome === 'empty' ? { outcome: 'empty' } : { outcome: 'failed', error }
  finishTurn(core, cell, hosted, record, ending, 'failed', { outcome, error }, result.error)
}

/** Does to a turn that does not run what was intended. */
function applyIntent(core: ShardCore, cell: Cell, hosted: Hosted, session: Session, record: TurnRecord, { mode, by }: Intent): void {
  const move = (state: TurnState): void => session.move(record, state, core.batch.at)
  switch (mode) {
    case 'steal':
      move('parked')
      saveTurn(core, cell, record)
      say(core, cell, hosted, callOf(cell, record), record, 'parked', { outcome: 'cancelled', mode, by })
      return
    case 'abort-keep':
      discardFrame(core, record)
      move('pending')
      saveTurn(core, cell, record)
      say(core, cell, hosted, callOf(cell, record), record, 'cancelled', { outcome: 'cancelled', mode, by })
      return
    case 'abort-drop':
      discardFrame(core, record)
      move('ended')
      // What it has promised to the outside world and nobody has begun is not wanted any more.
      core.effects.cancelOfTurn(record.id)
      finishTurn(core, cell, hosted, record, { outcome: 'cancelled', mode, by, epoch: record.epoch }, 'cancelled', {
        outcome: 'cancelled',
        mode,
        by,
      })
      return
    case 'timed-out': {
      move('ended')
      const error = timeoutOf(cell, record, by)
      const plain = plainError(error)
      core.report(error)
      finishTurn(core, cell, hosted, record, { outcome: mode, error: plain }, 'failed', { outcome: mode, error: plain }, error)
    }
  }
}

/** Looks after turns that were running when the shard died. */
function recover(core: ShardCore, cell: Cell, hosted: Hosted): void {
  const { session } = cell
  const record = session?.holder
  if (session === undefined || record === undefined || core.turns.isLive(record.id, record.epoch)) return
  const { intent } = record
  const hasFrame = record.frame !== undefined
  record.crashes += 1
  const crash: TurnCause = { reason: 'the shard died' }
  const poison = record.crashes < POISON_CRASHES ? undefined : core.poison.sequences.get(record.id)
  if (intent === undefined && (poison !== undefined || record.crashes > CRASHES_MAX)) {
    const error = new ShardCrashed(poison ?? `it died ${record.crashes} times while the turn ran, the last time in epoch ${record.epoch}`)
    endWith(core, cell, hosted, session, record, { outcome: 'failed', error })
  } else {
    const wanted = intent ?? { mode: 'steal', by: crash, at: core.batch.at }
    // Without a frame there is nothing to resume from.
    const applied: Intent = wanted.mode === 'steal' && !hasFrame ? { ...wanted, mode: 'abort-keep' } : wanted
    session.release(record, 'pending', { to: core.batch.at, outcome: 'cancelled', mode: applied.mode, by: applied.by })
    session.epoch += 1
    applyIntent(core, cell, hosted, session, record, applied)
  }
  saveSession(core, cell, session)
}

/** Ends a turn for good: its row, its caller, its machine. */
function finishTurn(
  core: ShardCore,
  cell: Cell,
  hosted: Hosted,
  record: TurnRecord,
  outcome: TurnOutcome<unknown>,
  event: string,
  fields: object,
  error?: Error,
): void {
  const call = callOf(cell, record)
  record.outcome = outcome
  saveTurn(core, cell, record)
  closeTurn(core, cell)
  if (record.isInstant) {
    // Its caller knows nothing of turns.
    const reason = error ?? new CommandFailed(cell.address, record.command, 'it was cancelled before it was handled', { retryable: true })
    settleReply(core, cell, call, { error: reason, isRecorded: false, isTriedAgain: false })
    return
  }
  const isFinal = outcome.outcome === 'ok' || outcome.outcome === 'empty' || outcome.outcome === 'cancelled'
  const settlement: Settlement = { value: outcome, isRecorded: isFinal, letter: error }
  settleReply(core, cell, call, settlement)
  say(core, cell, hosted, call, record, event, fields)
}

/** Tells the machine how a turn goes on. What its state does not take is dropped. */
function say(core: ShardCore, cell: Cell, hosted: Hosted, call: OpenReply, record: TurnRecord, what: string, fields: object): void {
  const { id, attempt, epoch, command } = record
  const event: EventLike = { ...fields, input: call.input ?? {}, turn: id, attempt, epoch, type: `${command}.${what}` } as EventLike
  const chain = [...(call.chain ?? []), { actor: cell.address, command }]
  if (core.isTapped) tapTurn(core, cell, record, what, fields)
  try {
    serveStep(core, cell, hosted, event, { ...NOBODY, chain, turn: id })
  } catch (error) {
    // The turn goes on or has ended all the same; what the machine could not take is kept.
    core.count(Gauge.failed)
    core.report(error)
    core.supervisor.failed(cell, { error, because: event.type, isOwn: true })
    bury(
      core,
      { type: cell.kind.definition.storedAs, key: cell.key, command: event.type, lane: 0, input: event, detail: { isEvent: true } },
      error,
    )
  }
}

function tapTurn(core: ShardCore, cell: Cell, record: TurnRecord, what: string, fields: object): void {
  const { command, id: turn, attempt, epoch, state } = record
  const { outcome, mode } = fields as { readonly outcome?: string; readonly mode?: string } // What `say` adds to its event.
  const kind =
    what === 'started' || what === 'resumed' || what === 'parked'
      ? (`turn.${what}` as const)
      : state === 'ended'
        ? 'turn.ended'
        : 'turn.requeued'
  const ending = { ...(outcome === undefined ? {} : { outcome }), ...(mode === undefined ? {} : { mode }) }
  tap(core, { kind, actor: cell.address, command, turn, attempt, epoch, ...ending })
}

/** Notes what came from an epoch that is over. */
function late(
  core: ShardCore,
  cell: Cell,
  { id, epoch }: { readonly id: number; readonly epoch: number },
  what: string,
  isCounted: boolean,
): void {
  if (!isCounted) return
  core.count(Gauge.lateResults)
  tap(core, { kind: 'late.result', actor: cell.address, epoch })
  core.batch.lateResults.push({
    sequence: core.takeSequence(),
    type: cell.kind.definition.storedAs,
    key: cell.key,
    epoch,
    detail: JSON.stringify({ turn: id, what, current: cell.session?.epoch ?? 0 }),
    at: core.batch.at,
  })
}

function staleOf(cell: Cell, { id, epoch }: { readonly id: number; readonly epoch: number }): StaleEpoch {
  return new StaleEpoch(`the checkpoint of turn ${id} of ${cell.address}`, epoch, cell.session?.epoch ?? epoch)
}

function runningTurn(cell: Cell, { id, epoch }: { readonly id: number; readonly epoch: number }): TurnRecord | undefined {
  const holder = cell.session?.holder
  return holder?.id === id && holder.epoch === epoch ? holder : undefined
}

function callOf(cell: Cell, { id }: TurnRecord): OpenReply {
  const call = cell.openCalls?.get(id)
  if (call?.kind !== 'turn') throw new Error(`The turn ${id} of ${cell.address} has no open call.`)
  return call
}

/** The frame is kept for diagnosis; nothing resumes from it. */
function discardFrame(core: ShardCore, record: TurnRecord): void {
  if (record.frame === undefined) return
  record.frame = undefined
  core.batch.framesGone.add(record.id)
  core.batch.framesSaved.delete(record.id)
}

function saveSession(core: ShardCore, cell: Cell, session: Session): void {
  core.batch.sessions.set(core.numberOf(cell), { epoch: session.epoch, holder: session.holder?.id ?? null })
}

function closeTurn(core: ShardCore, cell: Cell): void {
  core.batch.turnsTrimmed.set(core.numberOf(cell), cell.kind.definition.turns.keep)
}

/** Whether something was claimed that could count: what is empty claims nothing. */
function isResult(result: { readonly value: unknown } | { readonly error: Error }): boolean {
  return 'value' in result && result.value !== undefined && result.value !== null && result.value !== ''
}

function isRetryable(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === true
}

function maxAttemptsOf(cell: Cell, { command }: TurnRecord): number {
  return cell.kind.definition.commands.get(command)?.turn?.maxAttempts ?? 1
}

/** A stretch that took too long has no cause but itself. */
function timeoutOf(cell: Cell, { command }: TurnRecord, { reason }: TurnCause): Error {
  const definition = cell.kind.definition.commands.get(command)
  if (reason !== undefined || definition?.turn === undefined) return new ReplyOverdue(cell.address, command, definition?.replyWithinMs ?? 0)
  return new TurnTimeout(cell.address, command, definition.turn.timeoutMs)
}
