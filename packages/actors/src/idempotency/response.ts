/** Answers: what work gives, what of it is kept, and what comes back when it is replayed. */
import { Buffer } from 'node:buffer'
import { InvalidInput } from '@bailiwick/kernel'
import type { KeptOutcome, KeptResponse } from './ledger.ts'
import type { CheckedRules } from './rules.ts'

/** What work answers. */
export interface EndpointResponse {
  /** A final HTTP status, from 200 to 599. */
  readonly status: number
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Uint8Array | undefined
}

/** What whoever has called gets. */
export interface HandledResponse {
  /** Whether this call has done the work, or got what another one had answered. */
  readonly outcome: 'executed' | 'replayed'
  /** The epoch in which the work was done. */
  readonly epoch: number
  readonly status: number
  /** By name in lower case. Of a replayed answer those that the rules keep; of one that was executed, all. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: string | Uint8Array | undefined
}

/** An answer with its header names in lower case. Throws `InvalidInput` if it is none. */
export function checkResponse(operation: string, given: EndpointResponse): Required<EndpointResponse> {
  const { status, headers = {}, body } = given
  if (!Number.isSafeInteger(status) || status < 200 || status > 599) {
    throw new InvalidInput(operation, 'status', 'of an answer must be a whole number from 200 to 599')
  }
  if (body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array)) {
    throw new InvalidInput(operation, 'body', 'of an answer must be a string or bytes')
  }
  const lower: Record<string, string | readonly string[]> = {}
  for (const [name, value] of Object.entries(headers)) {
    const isText = typeof value === 'string' || (Array.isArray(value) && value.every((part) => typeof part === 'string'))
    if (!isText) throw new InvalidInput(operation, `headers.${name}`, 'of an answer must be a string or a list of strings')
    lower[name.toLowerCase()] = value
  }
  return { status, headers: lower, body }
}

/** What is kept of an answer, and how many bytes that has. */
export function keptOf(response: EndpointResponse, rules: CheckedRules): { readonly outcome: KeptOutcome; readonly bytes: number } {
  const { status, headers = {}, body } = response
  const allowed = new Set(rules.headers)
  const keptHeaders = Object.fromEntries(Object.entries(headers).filter(([name]) => allowed.has(name)))
  let bytes = body === undefined ? 0 : Buffer.byteLength(body)
  for (const [name, value] of Object.entries(keptHeaders)) {
    for (const part of typeof value === 'string' ? [value] : value) bytes += Buffer.byteLength(name) + Buffer.byteLength(part)
  }
  if (bytes > rules.responseBytesMax) return { outcome: { kind: 'oversized', status, bytes }, bytes: 0 }
  const isText = typeof body === 'string' && body.isWellFormed()
  const kept: KeptResponse = {
    status,
    headers: keptHeaders,
    body: body === undefined ? null : isText ? body : Buffer.from(body).toString('base64'),
    encoding: body === undefined || isText ? 'text' : 'base64',
  }
  return { outcome: { kind: 'response', response: kept }, bytes }
}

/** An answer as it is replayed. */
export function replayOf({ status, headers, body, encoding }: KeptResponse, epoch: number): HandledResponse {
  const content = body === null ? undefined : encoding === 'text' ? body : new Uint8Array(Buffer.from(body, 'base64'))
  return { outcome: 'replayed', epoch, status, headers, body: content }
}
