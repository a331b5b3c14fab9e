/** Metrics from `stats()`, read when a reader of metrics asks for them. */
import type { Attributes, BatchObservableResult, Meter, MetricOptions, Observable } from '@opentelemetry/api'
import { PRIORITIES } from '../shard/lanes.ts'
import type { ShardStats, SystemStats } from '../system/stats.ts'

/** One value with what it is of. */
type Value = readonly [value: number, attributes?: Attributes]

/** A metric: its name, what it is, and its values. */
interface Metric {
  readonly name: string
  readonly options: MetricOptions
  readonly values: (stats: SystemStats) => readonly Value[]
}

const perShard =
  (value: (shard: ShardStats) => number) =>
  ({ perShard: shards }: SystemStats): readonly Value[] =>
    shards.map((shard) => [value(shard), { 'bailiwick.shard': shard.shard }])

const perLane =
  (value: (lane: ShardStats['lanes']['normal']) => number) =>
  ({ perShard: shards }: SystemStats): readonly Value[] =>
    shards.flatMap(({ shard, lanes }) =>
      PRIORITIES.map((lane): Value => [value(lanes[lane]), { 'bailiwick.shard': shard, 'bailiwick.lane': lane }]),
    )

/** What only grows. */
const COUNTERS: readonly Metric[] = [
  {
    name: 'bailiwick.commands',
    options: { description: 'Commands and queries, by what has become of them.', unit: '{command}' },
    values: ({ handled, rejected, failed, full, replayed, duplicates }) =>
      Object.entries({ handled, rejected, failed, full, replayed, duplicates }).map(([outcome, count]) => [
        count,
        { 'bailiwick.outcome': outcome },
      ]),
  },
  {
    name: 'bailiwick.batches',
    options: { description: 'Commits.', unit: '{batch}' },
    values: perShard(({ batches }) => batches.count),
  },
  {
    name: 'bailiwick.actor.restarts',
    options: { description: 'Restarts of actors that failed.', unit: '{restart}' },
    values: ({ restarts }) => [[restarts]],
  },
  {
    name: 'bailiwick.turn.preemptions',
    options: { description: 'Intents to interrupt a turn.', unit: '{preemption}' },
    values: ({ turns }) => [[turns.preemptions]],
  },
  {
    name: 'bailiwick.effects',
    options: { description: 'Effects that have ended.', unit: '{effect}' },
    values: ({ effects: { done, failed } }) => [
      [done, { 'bailiwick.outcome': 'done' }],
      [failed, { 'bailiwick.outcome': 'failed' }],
    ],
  },
  {
    name: 'bailiwick.late_results',
    options: { description: 'Results that came too late to count.', unit: '{result}' },
    values: ({ lateResults }) => [[lateResults]],
  },
  {
    name: 'bailiwick.dead_letters.lost',
    options: { description: 'Dead letters that had to go because there were too many.', unit: '{letter}' },
    values: ({ deadLettersLost }) => [[deadLettersLost]],
  },
]

/** What is there now. */
const GAUGES: readonly Metric[] = [
  {
    name: 'bailiwick.mailbox.depth',
    options: { description: 'Commands that wait.', unit: '{command}' },
    values: perLane(({ depth }) => depth),
  },
  {
    name: 'bailiwick.mailbox.oldest_age',
    options: { description: 'How long the oldest command has waited.', unit: 'ms' },
    values: perLane(({ oldestAgeMs }) => oldestAgeMs),
  },
  {
    name: 'bailiwick.actors.resident',
    options: { description: 'Actors in memory.', unit: '{actor}' },
    values: perShard(({ residentActors }) => residentActors),
  },
  {
    name: 'bailiwick.actors.held',
    options: { description: 'Actors that are held back.', unit: '{actor}' },
    values: perShard(({ held }) => held),
  },
  {
    name: 'bailiwick.commit.duration.mean',
    options: { description: 'Time per commit since the opening, its fsync included.', unit: 'ms' },
    values: perShard(({ batches }) => batches.meanCommitMs),
  },
  {
    name: 'bailiwick.commit.duration.max',
    options: { description: 'The longest commit since the opening.', unit: 'ms' },
    values: perShard(({ batches }) => batches.maxCommitMs),
  },
  {
    name: 'bailiwick.event_loop.lag',
    options: { description: 'How late the event loop of a shard was when it was looked at last.', unit: 'ms' },
    values: perShard(({ loopLagMs }) => loopLagMs),
  },
  {
    name: 'bailiwick.turns.running',
    options: { description: 'Turns that run.', unit: '{turn}' },
    values: ({ turns }) => [[turns.running]],
  },
  {
    name: 'bailiwick.calls.pending',
    options: { description: 'Calls that wait for an answer.', unit: '{call}' },
    values: ({ pendingCalls }) => [[pendingCalls]],
  },
  {
    name: 'bailiwick.outbox',
    options: { description: 'Effects and messages between shards that are promised and not delivered.', unit: '{message}' },
    values: ({ outbox }) => [[outbox]],
  },
  {
    name: 'bailiwick.dead_letters',
    options: { description: 'Dead letters in the store.', unit: '{letter}' },
    values: ({ deadLetters }) => [[deadLetters]],
  },
]

/** Offers the counters of a system as metrics; answers a function that withdraws them. */
export function measure(meter: Meter, read: () => SystemStats): () => void {
  const observed: readonly (readonly [observable: Observable, metric: Metric])[] = [
    ...COUNTERS.map((metric) => [meter.createObservableCounter(metric.name, metric.options), metric] as const),
    ...GAUGES.map((metric) => [meter.createObservableGauge(metric.name, metric.options), metric] as const),
  ]
  const observe = (result: BatchObservableResult): void => {
    // Read once for all of them, so that they belong to one moment.
    const stats = read()
    for (const [observable, { values }] of observed) {
      for (const [value, attributes] of values(stats)) result.observe(observable, value, attributes)
    }
  }
  const observables = observed.map(([observable]) => observable)
  meter.addBatchObservableCallback(observe, observables)
  return () => meter.removeBatchObservableCallback(observe, observables)
}
