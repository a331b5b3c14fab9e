/** Order: what one sender sends to one receiver in one lane is handled in the order sent, each once (G5, G3). */
import { InvalidHistory } from './history.ts'
import { Anomalies } from './verdict.ts'
import type { Verdict } from './verdict.ts'

/**
 * A command was accepted. The order of these among each other is that of sending; they may be told before or after what was handled.
 * What was refused is not told.
 */
export interface CommandAccepted {
  readonly type: 'accepted'
  /** Who sent it: a client of the test, or an actor. */
  readonly sender: string
  /** The actor that is to handle it. */
  readonly receiver: string
  /** Its priority, or the name of any other class within which order is kept. */
  readonly lane: string
  /** Names this command; no other of the same receiver has it. The command carries it, so that its receiver can tell it. */
  readonly id: string
  /** False if nobody knows whether it was accepted: then it may be handled and need not. Default true. */
  readonly certain?: boolean
}

/** A command was handled. The order of these among each other, for one receiver, is that of its own context. */
export interface CommandHandled {
  readonly type: 'handled'
  readonly receiver: string
  readonly id: string
}

/** What `checkLaneOrder` looks at. */
export type LaneOrderEvent = CommandAccepted | CommandHandled

/**
 * What can be wrong with the order of commands. `out-of-order`: handled after one that was sent later. `twice`: handled again. `lost`:
 * accepted and never handled. `unexpected`: handled, though nobody had it accepted.
 */
export type LaneOrderAnomaly = 'out-of-order' | 'twice' | 'lost' | 'unexpected'

/** The end of the test. */
export interface LaneOrderOptions {
  /** Whether everything that was accepted has had the time to be handled by the end. Default true; false: nothing counts as lost. */
  readonly settled?: boolean
}

/** How much was looked at. */
export interface LaneOrderCounts {
  readonly accepted: number
  readonly handled: number
  /** How many orders there were: of one sender to one receiver in one lane. */
  readonly lanes: number
}

/** One sender, one receiver, one lane. */
interface Line {
  /** How many commands were sent. */
  length: number
  /** The one of those handled that was sent last. */
  latest: Sent | undefined
}

interface Sent {
  readonly command: CommandAccepted
  readonly line: Line
  /** Its place in its line. */
  readonly place: number
  isHandled: boolean
}

/** Checks the order of commands. Throws `InvalidHistory` for an id that is accepted twice by one receiver. */
export function checkLaneOrder(
  events: readonly LaneOrderEvent[],
  { settled = true }: LaneOrderOptions = {},
): Verdict<LaneOrderAnomaly, LaneOrderCounts> {
  const found = new Anomalies<LaneOrderAnomaly>()
  const lines = new Map<string, Line>()
  const sent = new Map<string, Sent>()
  for (const [position, command] of events.entries()) {
    if (command.type !== 'accepted') continue
    const name = JSON.stringify([command.sender, command.receiver, command.lane])
    const line = lines.get(name) ?? { length: 0, latest: undefined }
    lines.set(name, line)
    const id = identity(command)
    if (sent.has(id)) throw new InvalidHistory(position, `${command.id} is accepted by ${command.receiver} twice`)
    sent.set(id, { command, line, place: line.length, isHandled: false })
    line.length += 1
  }
  let handled = 0
  for (const event of events) {
    if (event.type !== 'handled') continue
    handled += 1
    lookAtHandled(event, sent.get(identity(event)), found)
  }
  for (const { command, isHandled } of sent.values()) {
    if (settled && !isHandled && command.certain !== false) found.add('lost', `${named(command)} was accepted and never handled`)
  }
  return found.verdict({ accepted: sent.size, handled, lanes: lines.size })
}

function lookAtHandled({ id, receiver }: CommandHandled, command: Sent | undefined, found: Anomalies<LaneOrderAnomaly>): void {
  if (command === undefined) {
    found.add('unexpected', `${receiver} handled ${id}, which nobody had accepted`)
    return
  }
  if (command.isHandled) {
    found.add('twice', `${named(command.command)} was handled more than once`)
    return
  }
  command.isHandled = true
  const { line, place } = command
  if (line.latest !== undefined && line.latest.place > place) {
    found.add(
      'out-of-order',
      `${named(command.command)} was handled after ${line.latest.command.id}, which was sent later in the same lane`,
    )
  } else line.latest = command
}

function identity({ receiver, id }: { readonly receiver: string; readonly id: string }): string {
  return JSON.stringify([receiver, id])
}

function named({ id, sender, receiver, lane }: CommandAccepted): string {
  return `${id} (from ${sender} to ${receiver}, lane ${lane})`
}
