/** A printer jams too often, is quarantined, and goes on once it is released. `node main.ts [DIRECTORY]` */
import { BailiwickError, openSystem } from '@bailiwick/kernel'
import { office, printer } from './printer.actor.ts'

const quiet = (): void => undefined // The program says itself what happens; without a logger a quarantine is a warning of the process.
const logger = { info: quiet, warn: quiet, error: quiet }
await using system = await openSystem({ directory: process.argv[2] ?? 'printers-data', actors: [printer, office], logger })
system.tap((event) => console.log(`   ${event.kind} ${'actor' in event ? event.actor : ''}`), {
  kinds: ['actor.restarted', 'actor.quarantined', 'actor.released'],
})
const hall = system.actor(printer, 'hall')
const staff = system.actor(office, 'staff')

async function print(text: string): Promise<string> {
  try {
    await hall.ask.print({ text })
    return 'printed'
  } catch (error) {
    if (!(error instanceof BailiwickError)) throw error
    return error.code
  }
}

await staff.ask.hire({ printer: 'hall' })
console.log('A page:', await print('Minutes'))
for (const time of ['first', 'second', 'third']) console.log(`The ${time} jam:`, await print(''))
console.log('Another page:', await print('Agenda'))
await hall.tell.print({ text: 'Invoice' }) // Kept until the printer is released.
console.log('The office has heard:', await staff.ask.out())
for (const { actor, reason } of await system.quarantine.list()) console.log(`Out of service: ${actor}, ${reason.split('\n').at(-1)}`)
console.log('Released:', await system.quarantine.release({ definition: printer, key: 'hall' }))
console.log('Printed in all:', await hall.ask.pages())

await hall.tell.print({ text: '' }) // Nobody waits for it: it becomes a dead letter.
await hall.ask.pages()
for (const { id, actor, command, error } of await system.deadLetters.list())
  console.log(`Dead letter ${id}: ${command} of ${actor}, ${error.code}`)
await system.deadLetters.discard({ type: 'printer' })
