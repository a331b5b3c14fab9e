/** Idempotent endpoints for servers of `node:http`, and for everything that takes a listener of the same form. */
import { Buffer } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { KeyMissing, RequestTooLarge } from './errors.ts'
import type { IdempotentEndpoint, WorkContext } from './idempotent-endpoint.ts'
import { KEY_HEADER, KEY_LENGTH_MAX, keyOfHeader } from './key-header.ts'
import { problem, problemOf } from './problem.ts'
import type { EndpointResponse, HandledResponse } from './response.ts'

/** How requests become calls of an endpoint. */
export interface HttpOptions {
  /** What is asked for, for instance `POST /orders`: the same key of another operation is another key. */
  readonly operation: string | ((message: IncomingMessage) => string)
  /** Who asks; `undefined` or an empty text is answered with 401. Must not be something that the client may choose freely. */
  readonly principalOf: (message: IncomingMessage) => string | undefined | Promise<string | undefined>
  /** The key. Default: the header `Idempotency-Key`. */
  readonly keyOf?: (message: IncomingMessage) => string | undefined
  /** What becomes of a request without a key: `refuse` answers 400, `pass` does the work without remembering it. Default `refuse`. */
  readonly onMissingKey?: 'refuse' | 'pass'
  /** How many bytes the body of a request may have; more are answered with 413. Default 1,048,576. */
  readonly bodyBytesMax?: number
  /** How long a repeat waits for the first, in milliseconds. Default: that of the endpoint. */
  readonly waitMs?: number
  /** Hears of what the client is not told: errors of the handler and of the system. What it throws is an uncaught error. */
  readonly onError?: (error: unknown) => void
}

/** What a handler is given. */
export interface HttpWork extends WorkContext {
  readonly message: IncomingMessage
  /** The whole body of the request. */
  readonly body: Buffer
  /** The idempotency key; undefined where requests without one pass. */
  readonly key: string | undefined
}

/** Does the work of a request, and answers what is to be sent. */
export type HttpHandler = (work: HttpWork) => Promise<EndpointResponse> | EndpointResponse

const BODY_BYTES_MAX = 1_048_576

/**
 * A listener for `createServer` that has the handler do its work once for each key. What the handler answers is sent, and sent
 * again to those who repeat their request, then with the header `idempotent-replayed: true`. Errors are sent as problem
 * details: 400 without a key, 409 while the first is in progress, 422 for another payload. The listener never rejects.
 */
export function idempotent(
  endpoint: IdempotentEndpoint,
  options: HttpOptions,
  handler: HttpHandler,
): (message: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (message, response) => {
    const gone = new AbortController()
    // Who has left need not wait; the work itself goes on, so that its answer is there when they come back.
    response.once('close', () => gone.abort())
    try {
      send(response, await answer(endpoint, options, handler, message, gone.signal))
    } catch (error) {
      const told = problemOf(error)
      if (told.status >= 500 && !gone.signal.aborted) options.onError?.(error)
      send(response, told)
    }
  }
}

async function answer(
  endpoint: IdempotentEndpoint,
  options: HttpOptions,
  handler: HttpHandler,
  message: IncomingMessage,
  signal: AbortSignal,
): Promise<EndpointResponse | HandledResponse> {
  const operation = typeof options.operation === 'string' ? options.operation : options.operation(message)
  const key = options.keyOf === undefined ? keyOfHeader(operation, headerOf(message)) : options.keyOf(message)
  if (key === undefined && options.onMissingKey !== 'pass') throw new KeyMissing(operation, `send the header ${KEY_HEADER}`)
  if (key !== undefined && (key === '' || key.length > KEY_LENGTH_MAX)) {
    throw new KeyMissing(operation, `it must have 1 to ${KEY_LENGTH_MAX} characters`)
  }
  const principal = await options.principalOf(message)
  if (principal === undefined || principal === '') return problem(401, 'UNAUTHORIZED', 'Who are you?')
  const body = await bodyOf(operation, message, options.bodyBytesMax ?? BODY_BYTES_MAX)
  if (key === undefined) return await handler({ message, body, key, epoch: 0, signal: new AbortController().signal })
  const { method = '', url = '' } = message
  const { waitMs } = options
  const payload = Buffer.concat([Buffer.from(`${method} ${url}\n`), body])
  return await endpoint.handle(
    { principal, operation, key, payload, signal, ...(waitMs === undefined ? {} : { waitMs }) },
    async (context) => await handler({ ...context, message, body, key }),
  )
}

function headerOf(message: IncomingMessage): string | undefined {
  const value = message.headers[KEY_HEADER]
  return Array.isArray(value) ? value.join(', ') : value
}

async function bodyOf(operation: string, message: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of message) {
    const content = Buffer.from(part as Uint8Array) // No encoding was set, so it is bytes.
    bytes += content.length
    if (bytes > bytesMax) throw new RequestTooLarge(operation, bytesMax)
    parts.push(content)
  }
  return Buffer.concat(parts)
}

function send(response: ServerResponse, answered: EndpointResponse | HandledResponse): void {
  const { status, headers = {}, body } = answered
  if (response.headersSent || response.destroyed) return
  response.statusCode = status
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, typeof value === 'string' ? value : [...value])
  if ('outcome' in answered && answered.outcome === 'replayed') response.setHeader('idempotent-replayed', 'true')
  // What is left of a body that was too large is not read.
  if (status === 413) response.setHeader('connection', 'close')
  if (body === undefined) response.end()
  else response.end(body)
}
