/**
 * A middleware for Hono, and for every framework whose handlers take and answer the `Request` and `Response` of the web:
 * `app.post('/orders', idempotentRoute(endpoint, { … }), handler)`. What it needs of Hono stands below as a type, so that this
 * file does not depend on it.
 */
import type { EndpointResponse, IdempotentEndpoint } from '@bailiwick/actors'
import { KeyMissing, keyOfHeader, problemOf } from '@bailiwick/actors'

/** What of Hono's `Context` is used. */
export interface RouteContext {
  readonly req: { readonly raw: Request }
  res: Response
}

/** How requests become calls of an endpoint. */
export interface RouteOptions<Context extends RouteContext> {
  readonly operation: string
  /** Who asks: whatever the authentication before this middleware has found. */
  readonly principalOf: (context: Context) => string
}

/** The middleware. Errors are answered as problem details; what the handler throws, Hono has made an answer of. */
export function idempotentRoute<Context extends RouteContext>(
  endpoint: IdempotentEndpoint,
  { operation, principalOf }: RouteOptions<Context>,
): (context: Context, next: () => Promise<void>) => Promise<Response | undefined> {
  return async (context, next) => {
    const { raw } = context.req
    try {
      const key = keyOfHeader(operation, raw.headers.get('idempotency-key') ?? undefined)
      if (key === undefined) throw new KeyMissing(operation, 'send the header idempotency-key')
      // The handler reads the body too, so this reads a copy.
      const payload = `${raw.method} ${raw.url}\n${await raw.clone().text()}`
      const answer = await endpoint.handle({ principal: principalOf(context), operation, key, payload, signal: raw.signal }, async () => {
        await next()
        return await answerOf(context.res.clone())
      })
      // What was executed has its response already, with everything that other middleware has put there.
      return answer.outcome === 'executed' ? undefined : responseOf(answer, { 'idempotent-replayed': 'true' })
    } catch (error) {
      return responseOf(problemOf(error))
    }
  }
}

async function answerOf(response: Response): Promise<EndpointResponse> {
  const body = new Uint8Array(await response.arrayBuffer())
  return { status: response.status, headers: Object.fromEntries(response.headers), ...(response.body === null ? {} : { body }) }
}

function responseOf({ status, headers = {}, body }: EndpointResponse, more: Readonly<Record<string, string>> = {}): Response {
  const all = new Headers(more)
  for (const [name, value] of Object.entries(headers)) for (const one of typeof value === 'string' ? [value] : value) all.append(name, one)
  // A copy, because bytes may lie in shared memory as far as their type says.
  return new Response(typeof body === 'string' ? body : body === undefined ? null : new Uint8Array(body), { status, headers: all })
}
