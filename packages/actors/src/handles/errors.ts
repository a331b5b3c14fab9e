/** What can be in the way of a new handle. That a handle leads nowhere is no error: `expand` answers it. */
import { BailiwickError } from '@bailiwick/kernel'

/** The rows are larger than the definition allows. Nothing was stored. */
export class HandleTooLarge extends BailiwickError {
  readonly code = 'HANDLE_TOO_LARGE'
  readonly retryable = false
  /** Size of the rows, as UTF-8 bytes of their JSON. */
  readonly bytes: number
  readonly bytesMax: number

  constructor(bytes: number, bytesMax: number) {
    super(`The rows of a handle have ${bytes} bytes as JSON; ${bytesMax} are allowed.`)
    this.bytes = bytes
    this.bytesMax = bytesMax
  }

  fields(): Record<string, number> {
    return { bytes: this.bytes, bytesMax: this.bytesMax }
  }
}

/** The handle was evicted, expired or released before this call of `store` could answer it. Store again, without the old idempotency key. */
export class HandleEvicted extends BailiwickError {
  readonly code = 'HANDLE_EVICTED'
  readonly retryable = false

  constructor() {
    super('The handle is gone already: so many others were stored meanwhile, or it was asked for long ago under the same key.')
  }

  fields(): Record<string, never> {
    return {}
  }
}
