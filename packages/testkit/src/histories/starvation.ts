/** Urgency with a bound: a waiting lane is overtaken by more urgent ones a published number of times at most (G6). */
import { Anomalies } from './verdict.ts'
import type { Verdict } from './verdict.ts'

/**
 * A command waits in a mailbox. To be told from when that is certain: an acknowledged tell, or a test that keeps the actor busy
 * meanwhile. Told late, even after it was served, it makes the check weaker and never wrong.
 */
export interface CommandWaits {
  readonly type: 'waits'
  /** Whose mailbox: the actor. */
  readonly mailbox: string
  /** Names this command; no other that waits in this mailbox has it. */
  readonly id: string
  /** 0 is the most urgent: 0 urgent, 1 high, 2 normal, 3 low. */
  readonly lane: number
}

/**
 * A command was served, also if it was rejected or postponed (then it waits again later). To be told where it happens, in the
 * transition; told late, after the next `waits`, it would count as an overtaking that was none.
 */
export interface CommandServed {
  readonly type: 'served'
  readonly mailbox: string
  readonly id: string
  readonly lane: number
}

/** A command that waited is gone without having been served: refused, or its actor was stopped. */
export interface CommandGone {
  readonly type: 'gone'
  readonly mailbox: string
  readonly id: string
}

/** What `checkStarvation` looks at, in the order in which it happened. */
export type StarvationEvent = CommandWaits | CommandServed | CommandGone

/**
 * What can be wrong with lanes. `starved`: more urgent commands were served more than `bound` times in a row while this lane waited.
 * `inversion`, with `exact` only: a less urgent command was served while a more urgent one waited, and was not due.
 */
export type StarvationAnomaly = 'starved' | 'inversion'

/** What is promised. */
export interface StarvationOptions {
  /** How often a waiting lane may be overtaken before it is served: `mailbox.starvationBound` of the actor, by default 64. */
  readonly bound: number
  /**
   * Whether the moments of `waits` are exactly those at which commands came into the mailbox. Then it is also checked that nothing
   * less urgent goes first unless it is due. Default false.
   */
  readonly exact?: boolean
}

/** How much was looked at. */
export interface StarvationCounts {
  readonly served: number
  /** The largest number of times in a row that a lane was overtaken. */
  readonly overtakenMax: number
}

interface Mailbox {
  readonly lanes: Map<number, Lane>
  /** By command, how often it was said to wait, less how often it was served: below zero where it was served before it was told. */
  readonly balances: Map<string, number>
}

/** A lane of a mailbox. */
interface Lane {
  readonly waiting: Set<string>
  /** How often it was overtaken since it was served last, or got work. */
  overtaken: number
}

/** Checks lanes, for each mailbox apart. A lane that starves is told once until it is served. */
export function checkStarvation(
  events: readonly StarvationEvent[],
  { bound, exact = false }: StarvationOptions,
): Verdict<StarvationAnomaly, StarvationCounts> {
  const found = new Anomalies<StarvationAnomaly>()
  const mailboxes = new Map<string, Mailbox>()
  let served = 0
  let overtakenMax = 0
  for (const [position, event] of events.entries()) {
    const mailbox: Mailbox = mailboxes.get(event.mailbox) ?? { lanes: new Map(), balances: new Map() }
    mailboxes.set(event.mailbox, mailbox)
    const { lanes, balances } = mailbox
    const balance = (balances.get(event.id) ?? 0) + (event.type === 'waits' ? 1 : -1)
    balances.set(event.id, balance)
    if (event.type === 'waits') {
      if (balance <= 0) continue
      const lane = lanes.get(event.lane) ?? { waiting: new Set<string>(), overtaken: 0 }
      lanes.set(event.lane, lane)
      lane.waiting.add(event.id)
      continue
    }
    if (event.type === 'gone') {
      for (const lane of lanes.values()) remove(lane, event.id)
      continue
    }
    served += 1
    if (exact) lookForInversion(event, position, lanes, bound, found)
    for (const [number, lane] of lanes) {
      if (number <= event.lane || lane.waiting.size === 0) continue
      lane.overtaken += 1
      overtakenMax = Math.max(overtakenMax, lane.overtaken)
      if (lane.overtaken !== bound + 1) continue
      const [first] = lane.waiting
      found.add(
        'starved',
        `${first} waits in lane ${number} of ${event.mailbox} and was overtaken more than ${bound} times in a row, the last time by ${event.id} of lane ${event.lane} (event ${position})`,
      )
    }
    const own = lanes.get(event.lane)
    if (own === undefined) continue
    remove(own, event.id)
    own.overtaken = 0
  }
  return found.verdict({ served, overtakenMax })
}

/** A more urgent command that waited while this one was served, though the lane of this one was not due. */
function lookForInversion(
  { mailbox, id, lane }: CommandServed,
  position: number,
  lanes: ReadonlyMap<number, Lane>,
  bound: number,
  found: Anomalies<StarvationAnomaly>,
): void {
  if ((lanes.get(lane)?.overtaken ?? 0) >= bound) return
  for (const [number, { waiting }] of lanes) {
    const [first] = waiting
    if (number >= lane || first === undefined) continue
    found.add(
      'inversion',
      `${id} of lane ${lane} of ${mailbox} was served (event ${position}) while ${first} waited in the more urgent lane ${number}`,
    )
    return
  }
}

function remove(lane: Lane, id: string): void {
  lane.waiting.delete(id)
  if (lane.waiting.size === 0) lane.overtaken = 0
}
