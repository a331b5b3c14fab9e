/**
 * The outside world of the crash test of effects: an HTTP server on loopback that appends each request's idempotency key
 * and body to a file before it answers. Prints its URL.
 */
import { fdatasyncSync, openSync, writeSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const seen = openSync(process.argv[2] ?? '', 'a')

const server = createServer((request, response) => {
  let body = ''
  request.setEncoding('utf8')
  request.on('data', (part: string) => {
    body += part
  })
  request.on('end', () => {
    writeSync(seen, `${String(request.headers['idempotency-key'])} ${body}\n`)
    fdatasyncSync(seen)
    response.end()
  })
})

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo // It listens on a port, not on a pipe.
  console.log(`http://127.0.0.1:${port}/`)
})
