/** Timers: not lost, not early, at most once per setting, and silent after their cancel (G9). */
import { InvalidHistory } from './history.ts'
import { Anomalies } from './verdict.ts'
import type { Verdict } from './verdict.ts'

/**
 * A timer was set. To be told where nobody can have heard its tick yet: in the transition that sets it, or before the call that
 * makes an actor set it, with `certain: false`, and again, with the same `setting`, when that call was acknowledged.
 */
export interface TimerSet {
  readonly type: 'set'
  /** Which timer: actor and name. A new setting takes the place of the one before. */
  readonly timer: string
  /** Names this setting; no other of the test has it. */
  readonly setting: string | number
  /** When it is due first, in milliseconds on the clock of `at`. */
  readonly dueAt: number
  /** The distance of the grid on which a periodic timer rings. Absent: it rings once. */
  readonly everyMs?: number
  /** False if nobody knows yet whether it was set: then it may ring and need not. Default true. */
  readonly certain?: boolean
}

/** A timer was cancelled, or its state was left. To be told when that was acknowledged, or in the transition that does it. */
export interface TimerCancelled {
  readonly type: 'cancelled'
  readonly timer: string
  /** Which setting it ended, if the test knows; else the newest one. */
  readonly setting?: string | number
  /** False if nobody knows whether the cancel took effect: then the timer may still ring and need not. Default true. */
  readonly certain?: boolean
}

/** A tick was handled: told in the transition that handles it. */
export interface TimerTicked {
  readonly type: 'ticked'
  readonly timer: string
  /** When, in milliseconds. */
  readonly at: number
  /** Of which setting. Without it the newest one is meant; where settings are uncertain, every tick has to say. */
  readonly setting?: string | number
  /** The moment for which it rings, if the tick says so (`timer.fired` of the tap does). Matters for periodic timers. */
  readonly dueAt?: number
}

/** What `checkTimers` looks at, in the order in which it happened. */
export type TimerEvent = TimerSet | TimerCancelled | TimerTicked

/**
 * What can be wrong with timers. `lost`: due, and never rung. `early`: rung before it was due; of a periodic timer, more often than
 * its grid had points. `twice`: a second time for one setting, or for one point of the grid. `after-cancel`: rung after the cancel was
 * acknowledged. `after-replacement`: rung after a newer setting had taken its place. `never-set`: rung and never set. `off-grid`: rung
 * for a moment that is no point of its grid.
 */
export type TimerAnomaly = 'lost' | 'early' | 'twice' | 'after-cancel' | 'after-replacement' | 'never-set' | 'off-grid'

/** The end of the test. */
export interface TimerOptions {
  /** Time at the end, in milliseconds: everything that was due by then has had its chance to ring. Absent: nothing counts as lost. */
  readonly until?: number
}

/** How much was looked at. */
export interface TimerCounts {
  readonly settings: number
  readonly ticks: number
  readonly cancelled: number
  readonly replaced: number
}

interface Setting {
  readonly id: string | number
  readonly timer: string
  readonly dueAt: number
  readonly everyMs: number | undefined
  /** The one whose place it took. */
  readonly before: Setting | undefined
  isCertain: boolean
  /** What has put an end to it, and whether that is known. */
  over: 'cancelled' | 'maybe-cancelled' | 'replaced' | 'maybe-replaced' | undefined
  ticks: number
  /** When it rang last: missed ticks come as one, so that is for every point of the grid before. */
  lastTickAt: number
  /** The last point of the grid for which a tick said that it rings. */
  lastDueAt: number
}

/** Checks timers. Throws `InvalidHistory` for a setting that is told twice and differently. */
export function checkTimers(events: readonly TimerEvent[], { until = -Infinity }: TimerOptions = {}): Verdict<TimerAnomaly, TimerCounts> {
  const found = new Anomalies<TimerAnomaly>()
  const settings = new Map<string | number, Setting>()
  const newest = new Map<string, Setting>()
  const counts = { settings: 0, ticks: 0, cancelled: 0, replaced: 0 }
  for (const [position, event] of events.entries()) {
    const { timer } = event
    const now = newest.get(timer)
    if (event.type === 'set') {
      const known = settings.get(event.setting)
      if (known !== undefined) {
        confirm(known, event, position)
        continue
      }
      counts.settings += 1
      if (now !== undefined) counts.replaced += 1
      const setting = newSetting(event, now)
      settings.set(event.setting, setting)
      newest.set(timer, setting)
      continue
    }
    const meant = event.setting === undefined ? now : settings.get(event.setting)
    const setting = meant?.timer === timer ? meant : undefined
    if (event.type === 'cancelled') {
      counts.cancelled += 1
      if (setting !== undefined && setting.over !== 'replaced')
        setting.over = event.certain === false ? (setting.over ?? 'maybe-cancelled') : 'cancelled'
      continue
    }
    counts.ticks += 1
    if (setting === undefined) found.add('never-set', `timer ${timer} has rung at ${event.at} (event ${position}), and was never set so`)
    else lookAtTick(event, setting, found)
  }
  for (const setting of settings.values()) {
    const missed = missedPoint(setting, until)
    if (missed !== undefined) found.add('lost', `${named(setting)} has not rung for ${missed}, and the time is ${until}`)
  }
  return found.verdict(counts)
}

function newSetting({ setting: id, timer, dueAt, everyMs, certain = true }: TimerSet, before: Setting | undefined): Setting {
  if (before !== undefined && before.over !== 'cancelled') before.over = certain ? 'replaced' : 'maybe-replaced'
  return { id, timer, dueAt, everyMs, before, isCertain: certain, over: undefined, ticks: 0, lastTickAt: -Infinity, lastDueAt: -Infinity }
}

/** A setting is told again: now it is known to be set, and what was there before is known to be replaced. */
function confirm(known: Setting, { timer, dueAt, everyMs, certain = true }: TimerSet, position: number): void {
  if (known.timer !== timer || known.dueAt !== dueAt || known.everyMs !== everyMs) {
    throw new InvalidHistory(position, `setting ${known.id} of ${timer} was told differently before`)
  }
  known.isCertain ||= certain
  if (!certain) return
  for (let { before } = known; before?.over === 'maybe-replaced'; { before } = before) before.over = 'replaced'
}

function lookAtTick({ timer, at, dueAt }: TimerTicked, setting: Setting, found: Anomalies<TimerAnomaly>): void {
  const { everyMs, over, dueAt: first, lastDueAt } = setting
  const tick = `${named(setting)} has rung at ${at}`
  setting.ticks += 1
  setting.lastTickAt = at
  // Without a word about its point of the grid, a tick is taken for the next one: no periodic timer is earlier than that.
  const point = everyMs === undefined ? first : (dueAt ?? first + (setting.ticks - 1) * everyMs)
  setting.lastDueAt = Math.max(lastDueAt, point)
  if (over === 'cancelled') found.add('after-cancel', `${tick}, after the cancel of ${timer} was acknowledged`)
  else if (over === 'replaced') found.add('after-replacement', `${tick}, after a newer setting of ${timer} had taken its place`)
  else if (point <= lastDueAt) found.add('twice', `${tick}, for ${point}, and had rung for that or a later moment before`)
  else if (at < point) found.add('early', `${tick}, ${point - at} ms before ${point}`)
  else if (everyMs !== undefined && (point < first || (point - first) % everyMs !== 0)) {
    found.add('off-grid', `${tick}, for ${point}, which is no point of its grid`)
  }
}

/** The last moment by `until` for which a setting should have rung and has not. */
function missedPoint({ isCertain, over, dueAt, everyMs, lastTickAt }: Setting, until: number): number | undefined {
  if (!isCertain || over !== undefined || dueAt > until) return undefined
  const last = everyMs === undefined ? dueAt : dueAt + Math.floor((until - dueAt) / everyMs) * everyMs
  return lastTickAt < last && !(everyMs === undefined && lastTickAt > -Infinity) ? last : undefined
}

function named({ id, timer, dueAt, everyMs }: Setting): string {
  return `timer ${timer} (setting ${id}, due at ${dueAt}${everyMs === undefined ? '' : ` and every ${everyMs} ms`})`
}
