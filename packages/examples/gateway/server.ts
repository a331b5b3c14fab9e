/** The gateway as a program: `node server.ts DIRECTORY [PORT]`. It listens on loopback and says on which port. */
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import { actors } from './gateway.actor.ts'
import { secretOf } from './secret-file.ts'
import { gatewayOn } from './service.ts'

const [directory = './gateway-data', port = '0'] = process.argv.slice(2)
mkdirSync(directory, { recursive: true })
const secrets = { signing: secretOf(join(directory, 'signing.secret')), operator: secretOf(join(directory, 'operator.token')) }
const system = await openSystem({ directory: join(directory, 'data'), actors, shards: 2, closeOn: ['SIGTERM', 'SIGINT'] })
const listener = gatewayOn(system, secrets)
const server = createServer((message, response) => void listener(message, response)).listen(Number(port), '127.0.0.1')
await once(server, 'listening')
const address = server.address()
console.log(`listening on ${typeof address === 'object' ? address?.port : ''}`)
