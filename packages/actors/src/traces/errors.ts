/** The errors of traces. */
import { BailiwickError } from '@bailiwick/kernel'

/** Values that an error may carry as a field. */
type Fields = ReturnType<BailiwickError['fields']>

/** A record is larger than the definition allows, or is nothing that JSON can carry. Nothing was appended. */
export class TraceRecordRefused extends BailiwickError {
  readonly code = 'TRACE_RECORD_REFUSED'
  readonly retryable = false
  readonly chain: string

  constructor(chain: string, detail: string) {
    super(`A record was not appended to the trace ${chain}: ${detail}.`)
    this.chain = chain
  }

  fields(): Fields {
    return { chain: this.chain }
  }
}

/** There is no secret, or a short one, or the chain was begun with another one. Nothing was appended or pruned. */
export class TraceSecretWrong extends BailiwickError {
  readonly code = 'TRACE_SECRET_WRONG'
  readonly retryable = false
  readonly trace: string

  constructor(trace: string, detail: string) {
    super(`The trace ${trace} has no secret to work with: ${detail}.`)
    this.trace = trace
  }

  fields(): Fields {
    return { trace: this.trace }
  }
}

/** What was read has been pruned meanwhile. Begin again: what is left begins after `through`. */
export class TracePruned extends BailiwickError {
  readonly code = 'TRACE_PRUNED'
  readonly retryable = true
  readonly chain: string
  readonly through: number

  constructor(chain: string, through: number) {
    super(`The trace ${chain} was pruned through ${through} while it was read.`)
    this.chain = chain
    this.through = through
  }

  fields(): Fields {
    return { chain: this.chain, through: this.through }
  }
}

/** A part of the chain cannot be read: its rows are damaged, missing, or do not follow from each other. `verify` says where. */
export class TraceBroken extends BailiwickError {
  readonly code = 'TRACE_BROKEN'
  readonly retryable = false
  readonly chain: string
  /** The first record that is not as it should be. */
  readonly seq: number

  constructor(chain: string, seq: number, detail: string, options?: ErrorOptions) {
    super(`The trace ${chain} is broken at ${seq}: ${detail}.`, options)
    this.chain = chain
    this.seq = seq
  }

  fields(): Fields {
    return { chain: this.chain, seq: this.seq }
  }
}
