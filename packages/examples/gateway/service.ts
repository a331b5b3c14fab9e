/**
 * The gateway as a listener of `node:http`. What comes in passes four gates: token, rate limit, idempotency key, budget. Each of
 * them is an actor's, so it stands after a crash as it stood before.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Budget, IdempotentEndpoint, idempotent, RateLimiter, Tokens } from '@bailiwick/actors'
import type { HttpWork, EndpointResponse } from '@bailiwick/actors'
import type { System } from '@bailiwick/kernel'
import { z } from 'zod'
import { budget, endpoint, limiter, orderBook, tokens } from './gateway.actor.ts'

/** What the gateway must know and nobody else. */
export interface Secrets {
  /** Signs the tokens of customers. */
  readonly signing: string
  /** Lets its bearer make tokens and see accounts. */
  readonly operator: string
}

type Listener = (message: IncomingMessage, response: ServerResponse) => Promise<void>

const CAPABILITY = 'orders.place'
const PRICES: Readonly<Record<string, number>> = { lamp: 7, desk: 13 }
const order = z.object({ article: z.enum(['lamp', 'desk']) })

/** The listener. It never rejects. */
export function gatewayOn(system: System, secrets: Secrets): Listener {
  const issuer = new Tokens(system, tokens, { keys: [{ id: 'gateway', secret: secrets.signing }] })
  const limits = new RateLimiter(system, limiter)
  const budgets = new Budget(system, budget)

  /** Reserves, places, records. Every step may be repeated with the same id, so the whole of it may. */
  const place = async ({ message, body, key = '' }: HttpWork): Promise<EndpointResponse> => {
    const parsed = order.safeParse(jsonOf(body))
    if (!parsed.success) return json(400, { error: 'an order names an article: lamp or desk' })
    const { customer } = routeOf(message)
    const cost = PRICES[parsed.data.article] ?? 0
    const id = createHash('sha256').update(key).digest('base64url')
    const reserved = await budgets.reserve(customer, { id, amount: cost })
    if (reserved.outcome === 'full') return json(503, { error: 'too many orders at the same time' })
    // Somebody may have been here with this key and died: then the order is paid already, or was refused.
    const isPaid = reserved.outcome === 'granted' ? reserved.granted === cost : reserved.outcome === 'ended' && reserved.end === 'recorded'
    if (!isPaid) {
      if (reserved.outcome === 'granted') await budgets.release(customer, id)
      return json(402, { error: 'the budget is spent' })
    }
    const number = await system.actor(orderBook, customer).ask.place({ cost }, { idempotencyKey: id })
    await budgets.record(customer, id, cost)
    return json(201, { number })
  }

  const orders = idempotent(
    new IdempotentEndpoint(system, endpoint),
    { operation: 'POST orders', principalOf: (message) => routeOf(message).customer, onError: tell },
    place,
  )

  const limited: Listener = async (message, response) => {
    const { customer } = routeOf(message)
    if (!(await isGood(issuer, customer, bearerOf(message)))) {
      send(response, json(401, { error: 'no token, or not a good one' }))
      return
    }
    const decision = await limits.check({ principal: customer, capability: CAPABILITY })
    if (decision.outcome === 'denied') {
      send(response, json(429, { retryAfterMs: decision.retryAfterMs }))
      return
    }
    response.setHeader('x-allowed-at', decision.at)
    await orders(message, response)
  }

  const operated = async (customer: string, what: string): Promise<EndpointResponse> => {
    if (what === 'token') return json(201, { token: (await issuer.issue({ principal: customer, capability: CAPABILITY })).token })
    const [{ count, cost }, balance] = await Promise.all([system.actor(orderBook, customer).ask.orders(), budgets.balance(customer)])
    return json(200, { count, cost, balance })
  }

  return async (message, response) => {
    const { customer, what } = routeOf(message)
    try {
      if (message.method === 'POST' && what === 'orders') await limited(message, response)
      else if (what !== 'token' && what !== 'account') send(response, json(404, { error: 'there is no such thing' }))
      else if (!isSame(bearerOf(message), secrets.operator)) send(response, json(401, { error: 'for the operator only' }))
      else send(response, await operated(customer, what))
    } catch (error) {
      // Nothing is let through that could not be checked.
      tell(error)
      send(response, json(503, { error: 'ask again with the same key' }))
    }
  }
}

/** `/ada/orders` is about Ada and her orders. */
function routeOf({ url = '' }: IncomingMessage): { readonly customer: string; readonly what: string } {
  const [, customer = '', what = ''] = /^\/([\w-]{1,64})\/(orders|token|account)$/.exec(url) ?? []
  return { customer, what }
}

function bearerOf({ headers }: IncomingMessage): string {
  return /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1] ?? ''
}

/** Whether a token is good now. That nobody could be asked is no answer, and thrown. */
async function isGood(issuer: Tokens, principal: string, token: string): Promise<boolean> {
  try {
    await issuer.verify(token, { principal, capability: CAPABILITY })
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('TOKEN_')) return false
    throw error
  }
}

function isSame(shown: string, expected: string): boolean {
  const [left, right] = [shown, expected].map((text) => createHash('sha256').update(text).digest())
  return left !== undefined && right !== undefined && timingSafeEqual(left, right)
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}

function json(status: number, value: unknown): EndpointResponse {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) }
}

function send(response: ServerResponse, { status, body }: EndpointResponse): void {
  if (response.headersSent) return
  response.writeHead(status, { 'content-type': 'application/json' }).end(body)
}

function tell(error: unknown): void {
  console.error(error instanceof Error ? error.message : error)
}
