/** An endpoint of `node:http` that a client may call as often as it likes: `node main.ts [directory]`. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { IdempotentEndpoint, idempotent } from '@bailiwick/actors'
import { openSystem } from '@bailiwick/kernel'
import { orderBook, orderEndpoint } from './orders.actor.ts'

await using system = await openSystem({ directory: process.argv[2] ?? './orders', actors: [orderEndpoint, orderBook], shards: 2 })

/** Who asks. The name is stored beside the answer; the secret that proves it must never be. */
function customerOf(authorization: string | undefined): string | undefined {
  return authorization === 'Bearer secret-of-ada' ? 'ada' : undefined
}

const placeOrder = idempotent(
  new IdempotentEndpoint(system, orderEndpoint),
  { operation: 'POST /orders', principalOf: ({ headers }) => customerOf(headers.authorization) },
  async ({ body }) => {
    const number = await system.actor(orderBook, 'main').ask.place({ article: body.toString() })
    return { status: 201, headers: { location: `/orders/${number}` }, body: `Order ${number}: ${body.toString()}\n` }
  },
)

const server = createServer((message, response) => void placeOrder(message, response))
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const address = server.address()
const port = typeof address === 'object' ? address?.port : undefined

/** A client that is not sure whether it was heard. */
async function order(key: string, article: string): Promise<string> {
  const headers = { authorization: 'Bearer secret-of-ada', 'idempotency-key': `"${key}"` }
  const response = await fetch(`http://127.0.0.1:${port}/orders`, { method: 'POST', headers, body: article })
  const text = await response.text()
  return `${response.status} ${response.headers.get('idempotent-replayed') === 'true' ? 'again' : 'new'} ${text.trim()}`
}

const answers = await Promise.all(Array.from({ length: 5 }, async () => await order('k1', 'a lamp')))
console.log(answers.toSorted().join('\n'))
console.log(await order('k2', 'a lamp'))
console.log(await order('k1', 'two lamps'))

server.close()
server.closeAllConnections()
