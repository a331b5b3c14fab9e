/**
 * Turns that run: the live side of what `turn-service.ts` decides. One run is one stretch of running, named by the turn's
 * number and the epoch of the stretch.
 *
 * A run begins after the commit of its grant, and hears its signal after the commit of the intent. It reports what it comes
 * to as news for its actor. Once it is over, whatever it still does is refused: its results are counted as late, its
 * checkpoints and writes get `StaleEpoch`.
 */
import { checkValue } from '../definition/input.ts'
import { findJsonFault } from '../definition/json.ts'
import { decodeKey } from '../definition/key.ts'
import type { ProcessApi } from '../definition/process.ts'
import type { AnyTurnContext, Interruption } from '../definition/turn-context.ts'
import type { TurnDefinition } from '../definition/turn-definition.ts'
import { asError, InvalidInput, NotSerializable, StaleEpoch } from '../errors.ts'
import { FromShard } from '../protocol/from-shard.ts'
import type { FromShardMessage } from '../protocol/from-shard.ts'
import type { Fork, Timer, TurnPlaces } from '../seams/seams.ts'
import type { OpenBatch, TurnStart } from './batch.ts'
import type { Cell, TurnNews } from './cell.ts'
import type { ShardCore } from './core.ts'
import type { TurnsPart } from './parts.ts'

const PROGRESS_MAX = 1_000

/** What a run may do with processes, and how they are ended with it. */
export interface RunProcesses extends ProcessApi {
  readonly fork: Fork
  /** Ends everything that was started here at once. */
  kill(): void
}

/** What a run needs beside its shard. */
export interface RunParts {
  readonly places: TurnPlaces
  /** Processes for one run. `gate` answers why it may not use them any more; `over` fires when it is over. */
  readonly processes: (cell: Cell, turn: string, gate: () => Error | undefined, over: AbortSignal) => RunProcesses
  /** Ends the processes that an actor keeps between its turns. */
  readonly endSessions: (cell: Cell) => void
  /** Sends to callers at once: progress is no state. */
  readonly send: (messages: readonly FromShardMessage[]) => void
  /** Takes in what is urgent, and commits it, if anything has arrived. */
  readonly listen: () => void
}

/** One stretch of running. */
interface Run {
  readonly cell: Cell
  readonly id: number
  readonly epoch: number
  readonly definition: TurnDefinition
  readonly name: string
  /** Fires when it is to stop. */
  readonly signal: AbortController
  /** Fires when it is over. */
  readonly over: AbortController
  /** Fires when it is to be ended by force. */
  readonly kill: AbortController
  readonly processes: RunProcesses
  /** Elapsed time of its beginning, and of its last sign of life. */
  readonly startedAt: number
  seenAt: number
  timers: Timer[]
  /** Its signal, which waits until its slice is over. */
  deferred: (() => void) | undefined
  /** The checkpoint that waits to be served, with those who wait for it. */
  checkpoint: { frame: string; readonly waiting: ((error: Error | undefined) => void)[] } | undefined
}

/** All running turns of one shard. */
export class TurnRuns implements TurnsPart {
  readonly #core: ShardCore
  readonly #parts: RunParts
  readonly #runs = new Map<number, Run>()
  readonly #progress: FromShardMessage[] = []
  #isSending = false
  #isClosing = false

  constructor(core: ShardCore, parts: RunParts) {
    this.#core = core
    this.#parts = parts
  }

  get running(): number {
    return this.#runs.size
  }

  get isClosing(): boolean {
    return this.#isClosing
  }

  isLive(turn: number, epoch: number): boolean {
    if (this.#runs.get(turn)?.epoch === epoch) return true
    // One that was granted by a batch under way begins with its commit.
    const { batch, committing } = this.#core
    return [batch, committing].some((one) => one?.turnStarts.some(({ record }) => record.id === turn && record.epoch === epoch) === true)
  }

  /** For how long a running turn has given no sign of life, in milliseconds; `undefined` if it does not run. */
  silentMs(turn: number): number | undefined {
    const run = this.#runs.get(turn)
    return run === undefined ? undefined : this.#core.clock.elapsed() - run.seenAt
  }

  /** After a commit: signals fire, granted turns begin, checkpoints are confirmed. */
  settled(turn: number, epoch: number): void {
    const run = this.#runs.get(turn)
    if (run?.epoch === epoch) this.#close(run)
  }

  force(turn: number, epoch: number): void {
    const run = this.#runs.get(turn)
    if (run?.epoch !== epoch) return
    this.#close(run)
    if (!run.signal.signal.aborted) run.signal.abort({ mode: 'steal', by: { reason: 'the shard has stopped' } } satisfies Interruption)
    run.kill.abort(run.signal.signal.reason)
    run.processes.kill()
    this.#parts.endSessions(run.cell)
  }

  /** After a commit. */
  committed(batch: OpenBatch): void {
    // Signals first: somebody waits for them.
    for (const { id, epoch, interruption } of batch.interrupts) this.#interrupt(id, epoch, interruption)
    for (const start of batch.turnStarts) this.#start(start, batch)
    for (const { news, stale } of batch.checkpoints) news.done(stale)
  }

  /** Lets every turn come to a boundary, and none begin. They are parked, and go on at the next start. */
  park(): void {
    this.#isClosing = true
    for (const run of this.#runs.values()) {
      run.deferred?.()
      this.#interruptForClosing(run)
    }
  }

  /** Ends every run at once. Nothing of them is stored. */
  kill(): void {
    this.#isClosing = true
    for (const run of this.#runs.values()) this.force(run.id, run.epoch)
  }

  #start({ cell, record, call }: TurnStart, batch: OpenBatch): void {
    const core = this.#core
    const { id, epoch, attempt, command, frame } = record
    const definition = cell.kind.definition.commands.get(command)?.turn
    if (definition === undefined) return
    const over = new AbortController()
    const name = `${command} ${id}`
    const gate = (): Error | undefined =>
      over.signal.aborted ? new StaleEpoch(`turn ${id} of ${cell.address}`, epoch, this.#epochOf(cell, epoch)) : undefined
    const now = core.clock.elapsed()
    const run: Run = {
      cell,
      id,
      epoch,
      definition,
      name: command,
      signal: new AbortController(),
      over,
      kill: new AbortController(),
      processes: this.#parts.processes(cell, name, gate, over.signal),
      startedAt: now,
      seenAt: now,
      timers: [],
      deferred: undefined,
      checkpoint: undefined,
    }
    this.#runs.set(id, run)
    this.#after(run, definition.timeoutMs, () => {
      this.#report(cell, { kind: 'interrupted', id, epoch, interruption: { mode: 'timed-out', by: {} } })
    })
    // One that was interrupted in the very batch that granted it never begins.
    const interrupt = batch.interrupts.find((one) => one.id === id && one.epoch === epoch)
    if (interrupt !== undefined) this.#interrupt(id, epoch, interrupt.interruption)
    // Granted before the system began to close, and committed after.
    if (this.#isClosing) this.#interruptForClosing(run)
    const context: AnyTurnContext = {
      // Its own copy: what it changes in there must not be seen by the next stretch.
      input: structuredClone(call.input ?? {}),
      frame: frame === undefined ? undefined : (JSON.parse(frame) as unknown),
      turn: id,
      attempt,
      epoch,
      key: decodeKey(cell.key),
      signal: run.signal.signal,
      interrupted: () => this.#isInterrupted(run),
      checkpoint: (given) => {
        const saved = this.#checkpoint(run, gate, given)
        // One that nobody waits for, and that comes too late, must not end the thread.
        saved.catch(() => undefined)
        return saved
      },
      progress: (value) => this.#tellProgress(run, value),
      process: apiOf(run.processes),
    }
    void this.#perform(run, context)
  }

  async #perform(run: Run, context: AnyTurnContext): Promise<void> {
    const { cell, id, epoch, definition } = run
    let result: { readonly value: unknown } | { readonly error: Error }
    try {
      // Not within the commit that has granted it.
      await Promise.resolve()
      if (run.signal.signal.aborted) throw new Error('It was interrupted before it began.')
      const value = await this.#runAt(run, context)
      result = { value: definition.on === 'shard' ? requirePlain(cell, run.name, value) : value }
    } catch (error) {
      result = { error: asError(error) }
    }
    this.#report(cell, { kind: 'ended', id, epoch, result, isSignaled: run.signal.signal.aborted })
  }

  #runAt({ cell, definition, id, name, kill, processes }: Run, context: AnyTurnContext): unknown {
    const { on, run } = definition
    if (on === 'shard') {
      // What it does before it yields first may end the thread.
      this.#core.mark(0, id, 0, 2)
      try {
        return run(context)
      } finally {
        this.#core.unmark()
      }
    }
    const { module, type } = cell.kind.definition
    return this.#parts.places.run({ on, module, type, command: name }, context, kill.signal, processes.fork)
  }

  #interruptForClosing({ cell, id, epoch }: Run): void {
    this.#report(cell, { kind: 'interrupted', id, epoch, interruption: { mode: 'steal', by: { reason: 'the system is closing' } } })
  }

  #interrupt(id: number, epoch: number, interruption: Interruption): void {
    const run = this.#runs.get(id)
    if (run?.epoch !== epoch || run.signal.signal.aborted) return
    const { minSliceMs } = run.cell.kind.definition.turns
    const restMs = run.startedAt + minSliceMs - this.#core.clock.elapsed()
    const fire = (): void => {
      run.deferred = undefined
      if (run.over.signal.aborted || run.signal.signal.aborted) return
      this.#after(run, run.definition.drainMs, () => this.#report(run.cell, { kind: 'drained', id, epoch }))
      run.signal.abort(interruption)
    }
    if (restMs <= 0 || this.#isClosing || interruption.mode === 'abort-drop' || interruption.mode === 'timed-out') fire()
    else {
      run.deferred = fire
      this.#after(run, restMs, fire)
    }
  }

  /** A loop that never yields gives the shard its turn here: what is urgent is taken in and committed before the answer. */
  #isInterrupted(run: Run): boolean {
    if (run.definition.on === 'shard' && !run.signal.signal.aborted && !run.over.signal.aborted) {
      this.#sendProgress()
      this.#parts.listen()
    }
    return run.signal.signal.aborted || run.over.signal.aborted
  }

  async #checkpoint(run: Run, gate: () => Error | undefined, given: unknown): Promise<void> {
    const { cell, id, epoch, definition, name } = run
    const value = checkValue(`frame of ${cell.kind.definition.type}.${name}`, definition.frame, given)
    if (value === undefined) throw new InvalidInput(`frame of ${cell.kind.definition.type}.${name}`, '', 'must not be undefined')
    const frame = JSON.stringify(value)
    run.seenAt = this.#core.clock.elapsed()
    const stale = gate()
    await new Promise<void>((resolve, reject) => {
      const settle = (error: Error | undefined): void => (error === undefined ? resolve() : reject(error))
      const { checkpoint } = run
      if (checkpoint !== undefined && stale === undefined) {
        // One that still waits is overtaken: the later frame says more.
        checkpoint.frame = frame
        checkpoint.waiting.push(settle)
        return
      }
      const next = { frame, waiting: [settle] }
      run.checkpoint = next
      this.#report(cell, {
        kind: 'checkpoint',
        id,
        epoch,
        take: () => {
          // From here on it is being stored; what comes now is another one.
          if (run.checkpoint === next) run.checkpoint = undefined
          return next.frame
        },
        done: (error) => {
          for (const done of next.waiting) done(error)
        },
      })
    })
  }

  #tellProgress(run: Run, value: unknown): void {
    if (run.over.signal.aborted) return
    run.seenAt = this.#core.clock.elapsed()
    const fault = findJsonFault(value)
    if (fault !== undefined) throw new InvalidInput(`progress of ${run.name}`, fault.path, `${fault.detail}, which JSON cannot carry`)
    // As it is now: what becomes of the object afterwards is the turn's own business.
    const told: unknown = structuredClone(value ?? null)
    for (const { call, isFollowed } of this.#core.awaiting.get(run.id) ?? []) {
      if (isFollowed !== true) continue
      if (this.#progress.length >= PROGRESS_MAX) this.#progress.shift()
      this.#progress.push([FromShard.progress, call, told])
    }
    if (this.#progress.length === 0 || this.#isSending) return
    this.#isSending = true
    queueMicrotask(() => {
      this.#isSending = false
      this.#sendProgress()
    })
  }

  #sendProgress(): void {
    if (this.#progress.length > 0) this.#parts.send(this.#progress.splice(0))
  }

  #report(cell: Cell, news: TurnNews): void {
    const core = this.#core
    // The actor may have left memory and come back meanwhile.
    const here = core.cellOf(cell.kind, cell.key)
    here.pushInternal({ tag: 'turn', news })
    if (here.isHeld || here.isResting) this.#actAlone(here, news)
    core.ready.add(here)
    // A checkpoint waits like everything else; for the end of a stretch somebody else may wait.
    if (news.kind !== 'checkpoint') core.express.push({ cell: here, waiting: undefined })
    core.wake()
  }

  /**
   * Does at once what the actor would have done, because it is not served: a turn has its limits and its end all the same. What
   * the actor hears of it later, it takes for a crash, unless the turn has ended by itself.
   */
  #actAlone(cell: Cell, news: TurnNews): void {
    switch (news.kind) {
      case 'interrupted':
        this.#interrupt(news.id, news.epoch, news.interruption)
        return
      case 'drained':
        this.force(news.id, news.epoch)
        cell.pushInternal({ tag: 'turn', news: { kind: 'recover' } })
        return
      case 'ended':
        this.settled(news.id, news.epoch)
        this.#core.wake()
        break
      case 'checkpoint':
      case 'recover':
    }
  }

  /** The epoch that counts, as far as it is known without looking into the store. */
  #epochOf({ kind, key }: Cell, known: number): number {
    return this.#core.residents.get(kind, key)?.session?.epoch ?? known
  }

  #after(run: Run, delayMs: number, act: () => void): void {
    run.timers.push(this.#core.clock.setTimer(act, delayMs))
  }

  #close(run: Run): void {
    this.#runs.delete(run.id)
    for (const timer of run.timers) timer.cancel()
    run.timers = []
    run.over.abort()
  }
}

/** What of it a turn may use, in a form that can be taken apart. */
function apiOf(processes: ProcessApi): ProcessApi {
  return {
    run: async (spec) => await processes.run(spec),
    spawn: async (spec) => await processes.spawn(spec),
    session: async (name, spec) => await processes.session(name, spec),
  }
}

/** A result that JSON cannot carry is a failure, however it was reached. */
function requirePlain(cell: Cell, name: string, value: unknown): unknown {
  const fault = findJsonFault(value)
  if (fault === undefined) return value
  throw new NotSerializable(cell.address, ['result', name, fault.path].filter(Boolean).join('.'), fault.detail)
}
