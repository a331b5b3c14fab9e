/**
 * The load: customers who order as fast as they may, send one order in three twice at the same time, and repeat every request until
 * they know what came of it. `node load.ts URL DIRECTORY`. When its input ends it finishes what is open and prints a report.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
// oxlint-disable-next-line bailiwick/no-raw-imports -- clients wait for a moment by themselves; they are no part of the system.
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import type { Report } from './check.ts'

const CUSTOMERS = ['ada', 'bob', 'cyd']
const LOOPS = 6
const PATIENCE_MS = 30_000
const PAUSE_MS = 25

/** What an answer may carry. */
const answer = z.object({ number: z.number().optional(), token: z.string().optional() })

const [url = '', directory = ''] = process.argv.slice(2)
const operator = readFileSync(join(directory, 'operator.token'), 'utf8')
const over = new AbortController()
// Somebody has to read, or nobody hears of the end.
process.stdin.resume().once('end', () => over.abort())

const reports = await Promise.all(CUSTOMERS.map(async (customer) => await orderAsCustomer(customer)))
console.log(JSON.stringify(reports))

async function orderAsCustomer(customer: string): Promise<Report> {
  const token = await tokenFor(customer)
  const report = { customer, requests: 0, denied: 0, unknown: 0, allowedAt: [] as number[], answers: [] as Report['answers'][number][] }
  let orders = 0
  const loop = async (): Promise<void> => {
    while (!over.signal.aborted) {
      orders += 1
      const key = `${customer}-${orders}`
      const text = JSON.stringify({ article: orders % 2 === 0 ? 'lamp' : 'desk' })
      const copies = orders % 3 === 0 ? 2 : 1
      await Promise.all(Array.from({ length: copies }, () => orderOnce(key, text)))
    }
  }
  /** One order, however often it has to be sent. */
  const orderOnce = async (key: string, body: string): Promise<void> => {
    const headers = { authorization: `Bearer ${token}`, 'idempotency-key': `"${key}"` }
    const until = performance.now() + PATIENCE_MS
    while (performance.now() < until) {
      const seen = await attempt(`${url}/${customer}/orders`, { method: 'POST', headers, body })
      // While the gateway starts again there is nobody to ask.
      if (seen !== 'unreachable') report.requests += 1
      if (typeof seen === 'string') {
        report.unknown += seen === 'unknown' ? 1 : 0
      } else {
        if (seen.allowedAt !== undefined) report.allowedAt.push(seen.allowedAt)
        if (seen.status === 201 || seen.status === 402) {
          report.answers.push({ key, number: seen.number ?? null })
          return
        }
        if (seen.status === 429) report.denied += 1
        else if (seen.status === 503 || seen.status === 409) report.unknown += 1
        else throw new Error(`${key}: ${seen.status}`)
      }
      await pause(PAUSE_MS)
    }
    throw new Error(`${key}: no answer within ${PATIENCE_MS} ms`)
  }
  await Promise.all(Array.from({ length: LOOPS }, loop))
  return report
}

/** A token for a customer, from the gateway. */
async function tokenFor(customer: string): Promise<string> {
  const until = performance.now() + PATIENCE_MS
  while (performance.now() < until) {
    const seen = await attempt(`${url}/${customer}/token`, { method: 'POST', headers: { authorization: `Bearer ${operator}` } })
    if (typeof seen !== 'string' && seen.token !== undefined) return seen.token
    await pause(PAUSE_MS)
  }
  throw new Error(`${customer}: no token within ${PATIENCE_MS} ms`)
}

interface Seen {
  readonly status: number
  readonly number: number | undefined
  readonly token: string | undefined
  readonly allowedAt: number | undefined
}

/** One request. `unknown`: it was sent, and nobody knows what came of it. `unreachable`: nobody was there. */
async function attempt(address: string, init: RequestInit): Promise<Seen | 'unknown' | 'unreachable'> {
  try {
    const response = await fetch(address, init)
    const { number, token } = answer.parse(await response.json())
    const at = response.headers.get('x-allowed-at')
    return { status: response.status, number, token, allowedAt: at === null ? undefined : Number(at) }
  } catch (error) {
    // `fetch` rejects with a TypeError whose cause says why; anything else is a bug.
    if (!(error instanceof TypeError)) throw error
    const { cause } = error
    return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED' ? 'unreachable' : 'unknown'
  }
}
