/** Places two orders for the last pieces, pays one, and shows what became of both. `node main.ts [DIRECTORY]` */
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import { order } from './order.actor.ts'
import { receipt } from './receipt.effect.ts'
import { stock } from './stock.actor.ts'

const directory = process.argv[2] ?? 'orders-data'
await using system = await openSystem({ directory, actors: [order, stock], effects: [receipt], shards: 2 })
const lamps = system.actor(stock, 'lamp')
console.log('Lamps in stock:', await lamps.ask.stockUp({ pieces: 3 }))

const number = `order-${system.stats().epoch}`
const first = system.actor(order, [number, 'first'])
const second = system.actor(order, [number, 'second'])

// The key makes it safe to ask again after a timeout or a crash: the order is placed once.
console.log('The first order is', await first.ask.place({ article: 'lamp', pieces: 2 }, { idempotencyKey: 'place' }))
try {
  await second.ask.place({ article: 'lamp', pieces: 1_000 })
} catch (error) {
  console.log('The second order:', error instanceof Error ? error.message : error)
}

console.log('It waits for its payment until', new Date((await first.timers())[0]?.dueAt ?? 0).toISOString())
console.log('It is paid with receipt', await first.ask.pay({ file: join(system.directory, 'receipts.txt') }, { idempotencyKey: 'pay' }))
console.log('It is', await first.ask.state(), 'and waits for nothing:', await first.timers())
console.log('Lamps left:', await lamps.ask.left(), '- dead letters:', (await system.deadLetters.list()).length)
