/** What a simulation says went wrong. */

/** A schedule that is no schedule, for instance one that was cut when it was copied. */
export class InvalidSchedule extends Error {
  readonly code = 'INVALID_SCHEDULE'

  constructor(problem: string) {
    super(`This is no schedule that can be replayed: ${problem}.`)
    this.name = 'InvalidSchedule'
  }
}

/** An option of a simulation that makes no sense. */
export class InvalidSimulation extends Error {
  readonly code = 'INVALID_SIMULATION'
  readonly field: string

  constructor(field: string, problem: string) {
    super(`The simulation's ${field} ${problem}.`)
    this.name = 'InvalidSimulation'
    this.field = field
  }
}

/** The run did not end: nothing can happen any more, or more has happened than the limits allow. */
export class SimulationStuck extends Error {
  readonly code = 'SIMULATION_STUCK'
  /** What had not ended, in words: one entry for each call or sleep of a client. */
  readonly waiting: readonly string[]

  constructor(
    who: string,
    why: string,
    waiting: readonly string[],
    { isEndless, isKeptDown }: { readonly isEndless: boolean; readonly isKeptDown: boolean },
  ) {
    const foreign =
      ' No client waits for anything: it awaits something that is not simulated, such as a promise that nobody settles, real I/O or a real timer.'
    const endless = ' There may be a loop without an end; else raise limits.steps.'
    const hint = waiting.length > 0 ? ` Waiting: ${waiting.join('; ')}.` : isEndless ? endless : foreign
    const down = isKeptDown ? ' The process is down since world.crash(); world.restart() starts it.' : ''
    super(`${who} did not end: ${why}.${hint}${down}`)
    this.name = 'SimulationStuck'
    this.waiting = waiting
  }
}

/** The scenario has begun something and never waited for it, so nothing of what it does was searched. */
export class ScenarioLeft extends Error {
  readonly code = 'SCENARIO_LEFT'
  /** What it has begun, in words. */
  readonly left: readonly string[]

  constructor(left: readonly string[]) {
    super(`The scenario ended: ${left.join('; ')}, and nobody has awaited that. Is an await missing?`)
    this.name = 'ScenarioLeft'
    this.left = left
  }
}

/** The same tape gave two different runs: something depends on what is not on it. */
export class NotDeterministic extends Error {
  readonly code = 'NOT_DETERMINISTIC'

  constructor(difference: string) {
    super(
      `The same schedule gave two different runs: ${difference}. Look for variables of modules that outlive a run, for the real ` +
        'clock, for chance, and for I/O.',
    )
    this.name = 'NotDeterministic'
  }
}

/** Actor code asked the real world for time, chance or work, of which no schedule knows. */
export class StrayCall extends Error {
  readonly code = 'STRAY_CALL'

  constructor(message: string) {
    super(message)
    this.name = 'StrayCall'
  }
}

/** The process died while a call of this client was under way: nobody knows whether it has taken effect. */
export class ProcessKilled extends Error {
  readonly code = 'PROCESS_KILLED'

  constructor() {
    super('The process was killed before the answer left it. Whether the command has taken effect is not known.')
    this.name = 'ProcessKilled'
  }
}

/** There is no system to call: the process is down. */
export class ProcessDown extends Error {
  readonly code = 'PROCESS_DOWN'

  constructor() {
    super('No process is up. Wait for `world.up()`, or start it with `world.restart()`.')
    this.name = 'ProcessDown'
  }
}

/** A message between a client and the system was lost: nobody knows whether the command has taken effect. */
export class ReplyLost extends Error {
  readonly code = 'REPLY_LOST'

  constructor() {
    super('No answer came from the system. Whether the command has taken effect is not known.')
    this.name = 'ReplyLost'
  }
}

/** What clients have heard is not what the model could have answered, in any order. */
export class ModelContradicted extends Error {
  readonly code = 'MODEL_CONTRADICTED'

  constructor(message: string) {
    super(message)
    this.name = 'ModelContradicted'
  }
}

/** Checks a length of time. Throws `InvalidSimulation`. */
export function requireMs(field: string, ms: number): void {
  if (!(ms >= 0)) throw new InvalidSimulation(field, `must be a number of milliseconds from 0, not ${String(ms)}`)
}
