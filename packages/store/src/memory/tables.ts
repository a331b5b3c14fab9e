/**
 * What one shard of the memory disk holds: the tables of the SQLite schema as maps, and the rules between them.
 *
 * Rows are copied on their way in and are never changed afterwards, only replaced; so what a reader was given stays as it
 * was. Every change is noted with its undoing, which is how a batch that fails halfway disappears as a whole.
 */
import type { Batch, CommitReport } from '../store.ts'
import { MemoryActors } from './tables/actor.ts'
import { MemoryDeadLetters } from './tables/dead-letter.ts'
import { MemoryEffects } from './tables/effect.ts'
import { MemoryFaults } from './tables/fault.ts'
import { MemoryInbox } from './tables/inbox.ts'
import { MemoryLateResults } from './tables/late-result.ts'
import { MemoryLeases } from './tables/lease.ts'
import { MemoryOutbox } from './tables/outbox.ts'
import { MemoryOutcomes } from './tables/outcome.ts'
import { MemoryProcesses } from './tables/process.ts'
import { MemoryTimers } from './tables/timer.ts'
import { MemoryTurns } from './tables/turn.ts'
import type { Undo } from './undo.ts'

/** The tables of one shard. */
export class MemoryTables {
  readonly actors: MemoryActors = new MemoryActors()
  readonly inbox: MemoryInbox = new MemoryInbox()
  readonly outcomes: MemoryOutcomes = new MemoryOutcomes()
  readonly timers: MemoryTimers = new MemoryTimers(this.actors)
  readonly turns: MemoryTurns = new MemoryTurns(this.actors)
  readonly leases: MemoryLeases = new MemoryLeases(this.actors)
  readonly lateResults: MemoryLateResults = new MemoryLateResults()
  readonly faults: MemoryFaults = new MemoryFaults()
  readonly processes: MemoryProcesses = new MemoryProcesses()
  readonly outbox: MemoryOutbox = new MemoryOutbox()
  readonly effects: MemoryEffects = new MemoryEffects()
  readonly deadLetters: MemoryDeadLetters = new MemoryDeadLetters()

  /** Makes the changes of a batch in the order of its fields, noting in `undo` how each is taken back. */
  apply(batch: Batch, undo: Undo[]): CommitReport {
    const { actors, inbox, timers, turns, leases, lateResults, faults, processes, outbox, effects, deadLetters } = this
    for (const row of batch.created) actors.create(row, undo)
    for (const row of batch.changed) actors.change(row, undo)
    for (const row of batch.journal) actors.append(row, undo)
    for (const trim of batch.journalTrims) actors.trim(trim, undo)
    for (const row of batch.accepted) inbox.accept(row, undo)
    for (const row of batch.inboxChanges) inbox.change(row, undo)
    for (const sequence of batch.finished) inbox.finish(sequence, undo)
    this.outcomes.record(batch.outcomes, batch.at, batch.outcomesMax, undo)
    for (const row of batch.timersCleared) timers.clear(row, undo)
    for (const row of batch.timersSet) timers.set(row, undo)
    for (const row of batch.callsOpened) actors.openCall(row, undo)
    for (const sequence of batch.callsClosed) actors.closeCall(sequence, undo)
    for (const row of batch.turns) turns.set(row, undo)
    for (const row of batch.frames) turns.saveFrame(row, undo)
    for (const turn of batch.framesDiscarded) turns.discardFrame(turn, undo)
    for (const row of batch.turnsKept) turns.keep(row, undo)
    for (const row of batch.leases) leases.set(row, undo)
    lateResults.add(batch.lateResults, batch.lateResultsMax, undo)
    for (const row of batch.faults) faults.change(row, undo)
    for (const row of batch.processes) processes.set(row, undo)
    for (const sequence of batch.processesEnded) processes.end(sequence, undo)
    for (const row of batch.outbox) outbox.send(row, undo)
    for (const mark of batch.delivered) outbox.delivered(mark, undo)
    for (const mark of batch.received) outbox.received(mark, undo)
    let effectsCancelled = 0
    for (const row of batch.effectsCancelled) effectsCancelled += effects.cancel(row, undo)
    for (const row of batch.effects) effects.promise(row, undo)
    for (const sequence of batch.effectsClaimed) effects.claim(sequence, undo)
    for (const row of batch.effectsDelayed) effects.delay(row, undo)
    for (const sequence of batch.effectsSettled) effects.settle(sequence, undo)
    for (const row of batch.deadLetters) deadLetters.add(row, undo)
    for (const sequence of batch.deadLettersRemoved) deadLetters.remove(sequence, undo)
    deadLetters.trim(batch.deadLettersTrimmed, undo)
    return { effectsCancelled }
  }
}
