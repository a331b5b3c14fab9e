/**
 * The outside world of the crash tests: an HTTP server on loopback that appends each request's idempotency key and body to a
 * file before it answers, refuses some of them afterwards, and can be asked whether it has seen a key. Prints its URL.
 */
import { openSync, writeSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const [file = ''] = process.argv.slice(2)
/** Every so many requests, one is noted and then refused, if it may be sent again. */
const REFUSE_EVERY = 23
const seen = openSync(file, 'a')
const keys = new Set<string>()
let requests = 0

const server = createServer((request, response) => {
  const key = String(request.headers['idempotency-key'])
  let body = ''
  request.setEncoding('utf8')
  request.on('data', (part: string) => {
    body += part
  })
  request.on('end', () => {
    if (request.method === 'GET') {
      response.end(keys.has(key) ? 'yes' : 'no')
      return
    }
    requests += 1
    keys.add(key)
    writeSync(seen, `${key} ${body}\n`)
    response.statusCode = requests % REFUSE_EVERY === 0 && body.endsWith(' sent') ? 500 : 200
    response.end()
  })
})
// Clients are killed in the middle of requests.
server.on('clientError', (_error, socket) => socket.destroy())

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo // It listens on a port, not on a pipe.
  console.log(`http://127.0.0.1:${port}/`)
})

// Whoever started it is gone.
process.stdin.on('end', () => process.exit(0)).resume()
