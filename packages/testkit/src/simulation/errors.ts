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
  /** What had not ended, in words: one entry for each client that waits. */
  readonly waiting: readonly string[]

  constructor(why: string, waiting: readonly string[]) {
    super(`The run did not end: ${why}.${waiting.length === 0 ? '' : ` Waiting: ${waiting.join('; ')}.`}`)
    this.name = 'SimulationStuck'
    this.waiting = waiting
  }
}

/** The same tape gave two different runs: something depends on what is not on it. */
export class NotDeterministic extends Error {
  readonly code = 'NOT_DETERMINISTIC'

  constructor(difference: string) {
    super(`The same seed gave two different runs: ${difference}.`)
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
