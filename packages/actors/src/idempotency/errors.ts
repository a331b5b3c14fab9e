/** The errors of idempotent endpoints. Each says which HTTP status it stands for. */
import { BailiwickError } from '@bailiwick/kernel'

/** Values that an error may carry as a field. */
type Fields = ReturnType<BailiwickError['fields']>

/** Base of the errors of idempotent endpoints. */
export abstract class EndpointError extends BailiwickError {
  /** The HTTP status that says the same. */
  abstract readonly status: number
  /** The operation that was asked for. */
  readonly operation: string

  constructor(operation: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.operation = operation
  }

  fields(): Fields {
    return { operation: this.operation }
  }
}

/** The key was used for another payload of the same principal and operation. Nothing was executed. Use a new key. */
export class KeyConflict extends EndpointError {
  readonly code = 'KEY_CONFLICT'
  readonly retryable = false
  readonly status = 422

  constructor(operation: string) {
    super(operation, `The idempotency key of ${operation} was used before with another payload.`)
  }
}

/** The work under this key was not over within the waiting time. Nothing was executed for this call; ask again with the same key. */
export class KeyInProgress extends EndpointError {
  readonly code = 'KEY_IN_PROGRESS'
  readonly retryable = true
  readonly status = 409
  /** After how many milliseconds it makes sense to ask again. */
  readonly retryAfterMs: number

  constructor(operation: string, retryAfterMs: number) {
    super(operation, `The work of ${operation} under this idempotency key is still in progress.`)
    this.retryAfterMs = retryAfterMs
  }

  override fields(): Fields {
    return { ...super.fields(), retryAfterMs: this.retryAfterMs }
  }
}

/** As much work of this principal and operation is in progress as may be. Nothing was executed; ask again later. */
export class TooManyInProgress extends EndpointError {
  readonly code = 'TOO_MANY_IN_PROGRESS'
  readonly retryable = true
  readonly status = 503
  /** The bound. */
  readonly capacity: number
  readonly retryAfterMs: number

  constructor(operation: string, capacity: number, retryAfterMs: number) {
    super(operation, `${capacity} calls of ${operation} are in progress.`)
    this.capacity = capacity
    this.retryAfterMs = retryAfterMs
  }

  override fields(): Fields {
    return { ...super.fields(), capacity: this.capacity, retryAfterMs: this.retryAfterMs }
  }
}

/**
 * The work was done and answered, but its lease was over and somebody else may have done it too. The answer is not kept.
 * Asking again with the same key gets what the other one has answered, or does the work again.
 */
export class ReservationLost extends EndpointError {
  readonly code = 'RESERVATION_LOST'
  readonly retryable = true
  readonly status = 503
  /** The epoch that is over. */
  readonly epoch: number

  constructor(operation: string, epoch: number) {
    super(operation, `The reservation of ${operation} in epoch ${epoch} is over: its answer was not kept.`)
    this.epoch = epoch
  }

  override fields(): Fields {
    return { ...super.fields(), epoch: this.epoch }
  }
}

/**
 * The work was done, but its answer is larger than may be kept. That it was done is kept: asking again with the same key ends
 * with this error again, and nothing is executed twice.
 */
export class ResponseTooLarge extends EndpointError {
  readonly code = 'RESPONSE_TOO_LARGE'
  readonly retryable = false
  readonly status = 500
  /** The status that the work answered. */
  readonly answered: number
  readonly bytes: number
  readonly bytesMax: number

  constructor(operation: string, answered: number, bytes: number, bytesMax: number) {
    super(operation, `The answer of ${operation} has ${bytes} bytes; at most ${bytesMax} are kept.`)
    this.answered = answered
    this.bytes = bytes
    this.bytesMax = bytesMax
  }

  override fields(): Fields {
    return { ...super.fields(), answered: this.answered, bytes: this.bytes, bytesMax: this.bytesMax }
  }
}

/** A request has no idempotency key although the endpoint demands one, or one that is malformed. Nothing was executed. */
export class KeyMissing extends EndpointError {
  readonly code = 'KEY_MISSING'
  readonly retryable = false
  readonly status = 400

  constructor(operation: string, detail: string) {
    super(operation, `${operation} needs an idempotency key: ${detail}.`)
  }
}

/** The body of a request is larger than the endpoint reads. Nothing was executed. */
export class RequestTooLarge extends EndpointError {
  readonly code = 'REQUEST_TOO_LARGE'
  readonly retryable = false
  readonly status = 413
  readonly bytesMax: number

  constructor(operation: string, bytesMax: number) {
    super(operation, `The body of a request of ${operation} may have at most ${bytesMax} bytes.`)
    this.bytesMax = bytesMax
  }

  override fields(): Fields {
    return { ...super.fields(), bytesMax: this.bytesMax }
  }
}
