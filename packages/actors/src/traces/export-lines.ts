/**
 * Chains as text: JSON lines. The first says which chain it is and where it begins, then comes a line for each record, and the
 * last says where the chain ends. What is written is verified without the system: the secret is enough.
 */
import { z } from 'zod'
import type { TraceCheckpoint, TraceHead, TraceRecord, TraceSecret } from './chain.ts'
import { broken, ChainVerifier } from './chain-verifier.ts'
import type { TraceVerdict } from './chain-verifier.ts'

const FORMAT = 1

interface Beginning {
  readonly chain: string
  readonly secretId: string
  readonly checkpoint: TraceCheckpoint | null
}

/** The first line. */
export function beginningLine({ chain, secretId, checkpoint }: Beginning): string {
  const cut = checkpoint === null ? null : { seq: checkpoint.seq, hash: checkpoint.hash, at: checkpoint.at, mac: checkpoint.mac }
  return JSON.stringify({ trace: chain, format: FORMAT, secretId, checkpoint: cut })
}

/** The line of a record. What was appended stands in it as JSON, not as text. */
export function recordLine({ seq, at, previous, text, hash }: TraceRecord): string {
  return `{"seq":${seq},"at":${at},"previous":${JSON.stringify(previous)},"record":${text},"hash":${JSON.stringify(hash)}}`
}

/** The last line. */
export function endLine({ seq, hash }: TraceHead, mac: string): string {
  return JSON.stringify({ end: { seq, hash, mac } })
}

const beginning = z.strictObject({
  trace: z.string(),
  format: z.literal(FORMAT),
  secretId: z.string(),
  checkpoint: z.strictObject({ seq: z.number(), hash: z.string(), at: z.number(), mac: z.string() }).nullable(),
})
const record = z.strictObject({ seq: z.number(), at: z.number(), previous: z.string(), record: z.unknown(), hash: z.string() })
const end = z.strictObject({ end: z.strictObject({ seq: z.number(), hash: z.string(), mac: z.string() }) })

/** What a verification of text may know beforehand. */
export interface VerifyLinesOptions {
  readonly secret: TraceSecret
  /** Name of the chain that it should be. Default: whichever it says. */
  readonly chain?: string
  /** A head that was seen before: a chain that does not reach it was cut off. */
  readonly atLeast?: TraceHead
}

/** Verifies an exported chain, line by line, holding one line at a time. Empty lines do not count. */
export async function verifyTraceLines(
  lines: AsyncIterable<string> | Iterable<string>,
  options: VerifyLinesOptions,
): Promise<TraceVerdict> {
  let verifier: ChainVerifier | undefined
  let verdict: TraceVerdict | undefined
  let isReached = options.atLeast === undefined || options.atLeast.seq === 0
  for await (const line of lines) {
    if (line === '') continue
    if (verdict !== undefined) return broken(verifier?.next ?? 0, 'out-of-order', 'something stands behind the end')
    if (verifier === undefined) {
      const first = parsed(line, beginning, (value) => beginningLine({ chain: value.trace, ...value }))
      if (first === undefined) return broken(0, 'unreadable', 'the first line is not that of a trace')
      if (options.chain !== undefined && options.chain !== first.trace) return broken(0, 'out-of-order', `it is the chain ${first.trace}`)
      verifier = new ChainVerifier(options.secret, first.trace)
      const fault = verifier.begin(first.secretId, first.checkpoint)
      if (fault !== undefined) return fault
      continue
    }
    const last = parsed(line, end, (value) => endLine(value.end, value.end.mac))
    if (last !== undefined) {
      verdict = verifier.end(last.end, last.end.mac)
      if (verdict.outcome === 'broken') return verdict
      continue
    }
    const next = parsed(line, record, (value) => recordLine(storedForm(value)))
    if (next === undefined) return broken(verifier.next, 'unreadable', 'the line is none that an export has written')
    const stored = storedForm(next)
    const fault = verifier.take(stored)
    if (fault !== undefined) return fault
    isReached ||= stored.seq === options.atLeast?.seq && stored.hash === options.atLeast.hash
  }
  if (verdict?.outcome !== 'intact') return broken(verifier?.next ?? 0, 'truncated', 'the line that ends a chain is missing')
  return reached(verdict, isReached, options.atLeast)
}

/** The verdict, unless the chain does not reach a head that was seen before. */
export function reached(verdict: TraceVerdict, isReached: boolean, atLeast: TraceHead | undefined): TraceVerdict {
  if (verdict.outcome === 'broken' || isReached || atLeast === undefined || atLeast.seq <= verdict.from) return verdict
  if (verdict.head.seq < atLeast.seq) return broken(verdict.head.seq + 1, 'truncated', `it once reached ${atLeast.seq}`)
  return broken(atLeast.seq, 'edited', 'another record stood here')
}

function storedForm({ record: content, ...rest }: z.infer<typeof record>): TraceRecord {
  return { ...rest, text: JSON.stringify(content) }
}

/** A line that is exactly what would be written for what it says: a change that JSON would not notice is a change as well. */
function parsed<Value>(line: string, schema: z.ZodType<Value>, written: (value: Value) => string): Value | undefined {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return undefined
  }
  const found = schema.safeParse(value)
  return found.success && written(found.data) === line ? found.data : undefined
}
