/** `system.stats()`: the shards' live counters, added up. Reading them asks nobody and waits for nothing. */
import { Gauge } from '../shard/gauges.ts'
import { PRIORITIES } from '../shard/lanes.ts'
import type { Priority } from '../shard/lanes.ts'
import type { ThreadState } from './threads.ts'

/** What waits in a lane, over all actors. */
export interface LaneStats {
  /** How many commands wait. */
  readonly depth: number
  /** For how long the oldest of them has waited, in milliseconds; 0 if none waits. */
  readonly oldestAgeMs: number
}

/** What a shard's commits were like. */
export interface BatchStats {
  readonly count: number
  /** Commands and queries per commit, on average. */
  readonly meanSize: number
  /** Time per commit in milliseconds, its fsync included. */
  readonly meanCommitMs: number
  readonly maxCommitMs: number
}

/** One shard's counters. */
export interface ShardStats {
  /** Position of the shard. */
  readonly shard: number
  /** How its thread is: `waiting` for another start after a death, `abandoned` if there will be none. */
  readonly thread: ThreadState
  readonly residentActors: number
  /** Actors that are held back now. */
  readonly held: number
  /** What waits now, by lane. */
  readonly lanes: Readonly<Record<Priority, LaneStats>>
  readonly batches: BatchStats
  /** How late the thread's event loop was when it was looked at last, in milliseconds. */
  readonly loopLagMs: number
  /** … and at most, since the thread was started. */
  readonly loopLagMsMax: number
}

/**
 * A system's counters. Counts are since the system was opened, also where threads were replaced meanwhile; what is said to be
 * there now is there now.
 */
export interface SystemStats {
  /** The directory's ownership epoch: larger by one with every open. */
  readonly epoch: number
  readonly shards: number
  /** Threads that serve shards or are being replaced. Those that were given up are not among them. */
  readonly threads: number
  /** Actors in memory now. */
  readonly residentActors: number
  /** Calls made in this thread that wait for an answer now. */
  readonly pendingCalls: number
  /** What waits now, by lane. */
  readonly lanes: Readonly<Record<Priority, LaneStats>>
  /** Commands and queries that were handled. */
  readonly handled: number
  /** Commands that the actor's state did not take. */
  readonly rejected: number
  /** Commands that threw. */
  readonly failed: number
  /** Commands refused because a queue was full. */
  readonly full: number
  /** Commands answered from the record of their idempotency key. */
  readonly replayed: number
  /** Deliveries that said nothing new under their natural key or delivery id. */
  readonly duplicates: number
  /** Messages to volatile actors that nobody waited for and that could not be handled. Those to other actors become dead letters. */
  readonly lostTells: number
  /** Dead letters in the store now. */
  readonly deadLetters: number
  /** Dead letters that had to go because there were too many. */
  readonly deadLettersLost: number
  /** Effects and messages between shards that are promised and not delivered now. */
  readonly outbox: number
  /** Commands that wait for a deferred reply with a caller from outside now. */
  readonly awaitingReply: number
  /** Results that came too late to count: of an older owner, of an effect out of time, answers and replies that nobody waits for. */
  readonly lateResults: number
  readonly effects: {
    /** Attempts under way now. */
    readonly running: number
    readonly done: number
    /** Effects that were given up. */
    readonly failed: number
  }
  readonly turns: {
    /** Turns that run now. */
    readonly running: number
    /** Intents to interrupt a turn. */
    readonly preemptions: number
    /** Turns that did not come to a boundary in time and were ended by force. */
    readonly forced: number
  }
  readonly processes: {
    /** Groups of owned processes that are alive now. */
    readonly running: number
  }
  /** Commands found waiting in the store when the system was opened. */
  readonly recovered: number
  /** Stored tells and due timers that nobody here can take: their type or command is unknown, or their actor cannot be activated. They stay in the store. */
  readonly stranded: number
  readonly activations: number
  readonly passivations: number
  /** Actions that threw after their commit. */
  readonly actionFailures: number
  /** Restarts of actors that failed. */
  readonly restarts: number
  /** Actors that are held back now: quarantined or stopped. */
  readonly held: number
  /** Events that the tap did not tell because there were too many in one batch. */
  readonly tapLost: number
  readonly batches: BatchStats
  /** Each shard for itself, by its position. */
  readonly perShard: readonly ShardStats[]
}

/** What the system knows beside the counters. */
export interface StatsParts {
  readonly epoch: number
  readonly pendingCalls: number
  /** By the positions of their shards. */
  readonly threads: readonly { readonly state: ThreadState; readonly gauges: readonly Float64Array[] }[]
  /** Wall time now. */
  readonly now: number
}

/** Adds up the counters of all shards. */
export function statsOf({ epoch, threads, pendingCalls, now }: StatsParts): SystemStats {
  const gauges = threads.flatMap((thread) => thread.gauges)
  const sum = (gauge: number): number => gauges.reduce((total, values) => total + (values[gauge] ?? 0), 0)
  return {
    epoch,
    shards: gauges.length,
    threads: threads.filter(({ state }) => state !== 'abandoned').length,
    residentActors: sum(Gauge.residentActors),
    pendingCalls,
    lanes: lanesOf(gauges, now),
    handled: sum(Gauge.handled),
    rejected: sum(Gauge.rejected),
    failed: sum(Gauge.failed),
    full: sum(Gauge.full),
    replayed: sum(Gauge.replayed),
    duplicates: sum(Gauge.duplicates),
    lostTells: sum(Gauge.lostTells),
    deadLetters: sum(Gauge.deadLetters),
    deadLettersLost: sum(Gauge.deadLettersLost),
    outbox: sum(Gauge.outbox),
    awaitingReply: sum(Gauge.awaiting),
    effects: { running: sum(Gauge.effectsRunning), done: sum(Gauge.effectsDone), failed: sum(Gauge.effectsFailed) },
    turns: { running: sum(Gauge.turnsRunning), preemptions: sum(Gauge.preemptions), forced: sum(Gauge.turnsForced) },
    processes: { running: sum(Gauge.processes) },
    lateResults: sum(Gauge.lateResults),
    recovered: sum(Gauge.recovered),
    stranded: sum(Gauge.stranded),
    activations: sum(Gauge.activations),
    passivations: sum(Gauge.passivations),
    actionFailures: sum(Gauge.actionFailures),
    restarts: sum(Gauge.restarts),
    held: sum(Gauge.held),
    tapLost: sum(Gauge.tapLost),
    batches: batchesOf(gauges),
    perShard: threads
      .flatMap((thread) => thread.gauges.map((values) => ({ state: thread.state, values })))
      .map(({ state, values }, shard) => shardOf(shard, state, values, now)),
  }
}

function shardOf(shard: number, thread: ThreadState, values: Float64Array, now: number): ShardStats {
  return {
    shard,
    thread,
    residentActors: values[Gauge.residentActors] ?? 0,
    held: values[Gauge.held] ?? 0,
    lanes: lanesOf([values], now),
    batches: batchesOf([values]),
    loopLagMs: values[Gauge.loopLagMs] ?? 0,
    loopLagMsMax: values[Gauge.loopLagMsMax] ?? 0,
  }
}

function batchesOf(gauges: readonly Float64Array[]): BatchStats {
  const sum = (gauge: number): number => gauges.reduce((total, values) => total + (values[gauge] ?? 0), 0)
  const count = sum(Gauge.batches)
  return {
    count,
    meanSize: count === 0 ? 0 : sum(Gauge.batchedCommands) / count,
    meanCommitMs: count === 0 ? 0 : sum(Gauge.commitMs) / count,
    maxCommitMs: Math.max(0, ...gauges.map((values) => values[Gauge.commitMsMax] ?? 0)),
  }
}

function lanesOf(gauges: readonly Float64Array[], now: number): Record<Priority, LaneStats> {
  const lane = (index: number): LaneStats => {
    const depth = gauges.reduce((total, values) => total + (values[Gauge.depthUrgent + index] ?? 0), 0)
    const since = gauges.map((values) => values[Gauge.oldestUrgent + index] ?? 0).filter((at) => at > 0)
    return { depth, oldestAgeMs: since.length === 0 ? 0 : Math.max(0, now - Math.min(...since)) }
  }
  const [urgent, high, normal, low] = PRIORITIES.map((_name, index) => lane(index))
  const none: LaneStats = { depth: 0, oldestAgeMs: 0 }
  return { urgent: urgent ?? none, high: high ?? none, normal: normal ?? none, low: low ?? none }
}
