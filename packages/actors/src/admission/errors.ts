/** Errors of the admission: what `run` throws when its work did not begin, or lost its slot. */
import { BailiwickError } from '@bailiwick/kernel'
import type { EndReason } from './book.ts'
import type { Violation } from './policies.ts'

/** The queue has as many waiting as it may have. Nothing was stored; it may help to try again later. */
export class QueueFull extends BailiwickError {
  readonly code = 'QUEUE_FULL'
  readonly retryable = true
  readonly executionId: string
  readonly waiting: number
  readonly maxLength: number

  constructor(executionId: string, waiting: number, maxLength: number) {
    super(`${waiting} executions wait already, of at most ${maxLength}.`)
    this.executionId = executionId
    this.waiting = waiting
    this.maxLength = maxLength
  }

  fields(): { executionId: string; waiting: number; maxLength: number } {
    return { executionId: this.executionId, waiting: this.waiting, maxLength: this.maxLength }
  }
}

/** The execution has waited as long as it may, and has left the queue. Its work has not begun. */
export class QueueTimeout extends BailiwickError {
  readonly code = 'QUEUE_TIMEOUT'
  readonly retryable = true
  readonly executionId: string

  constructor(executionId: string) {
    super(`The execution ${executionId} has waited too long for a slot.`)
    this.executionId = executionId
  }

  fields(): { executionId: string } {
    return { executionId: this.executionId }
  }
}

/** Somebody has cancelled the execution while it waited. Its work has not begun. */
export class AdmissionCancelled extends BailiwickError {
  readonly code = 'ADMISSION_CANCELLED'
  readonly retryable = false
  readonly executionId: string

  constructor(executionId: string) {
    super(`The execution ${executionId} was cancelled while it waited for a slot.`)
    this.executionId = executionId
  }

  fields(): { executionId: string } {
    return { executionId: this.executionId }
  }
}

/** The execution has had a slot and has given it back: it is not done again. Another execution needs another `executionId`. */
export class ExecutionOver extends BailiwickError {
  readonly code = 'EXECUTION_OVER'
  readonly retryable = false
  readonly executionId: string

  constructor(executionId: string) {
    super(`The execution ${executionId} is over already.`)
    this.executionId = executionId
  }

  fields(): { executionId: string } {
    return { executionId: this.executionId }
  }
}

/** A policy does not allow the execution. Nothing was stored, and its work has not begun. */
export class AdmissionRefused extends BailiwickError {
  readonly code = 'ADMISSION_REFUSED'
  readonly retryable: boolean
  readonly executionId: string
  readonly violation: Violation

  constructor(executionId: string, violation: Violation) {
    super(`The execution ${executionId} is not allowed: ${textOf(violation)}.`)
    this.executionId = executionId
    this.violation = violation
    this.retryable = violation.rule !== 'policy' && (!('retryAt' in violation) || violation.retryAt !== null)
  }

  fields(): { executionId: string; scope: string; rule: string } {
    return { executionId: this.executionId, scope: this.violation.scope, rule: this.violation.rule }
  }
}

/**
 * The slot of an execution is not its own any more: it was cancelled, its lease ended before it was renewed, or its queue could not be
 * reached. It is the reason of the signal that the work gets; what the work still does is done without a slot.
 */
export class SlotLost extends BailiwickError {
  readonly code = 'SLOT_LOST'
  readonly retryable = false
  readonly executionId: string
  readonly reason: EndReason | 'unreachable' | 'unknown'

  constructor(executionId: string, reason: SlotLost['reason']) {
    super(`The execution ${executionId} has lost its slot: ${reason}.`)
    this.executionId = executionId
    this.reason = reason
  }

  fields(): { executionId: string; reason: string } {
    return { executionId: this.executionId, reason: this.reason }
  }
}

function textOf(violation: Violation): string {
  const where = violation.name === '' ? violation.scope : `${violation.scope} ${violation.name}`
  if (violation.rule === 'policy') return `the policy of ${where} failed: ${violation.reason}`
  return `${violation.count} of ${violation.max} by the ${violation.rule} of ${where}`
}
