/** Lets an assistant study, interrupts it for a question, and shows how it went on. `node main.ts [DIRECTORY]` */
import { openSystem } from '@bailiwick/kernel'
import { assistant } from './assistant.actor.ts'

await using system = await openSystem({ directory: process.argv[2] ?? 'assistant-data', actors: [assistant] })
const ada = system.actor(assistant, 'ada')

const begun = Promise.withResolvers<undefined>()
const study = ada.ask.study(
  { topics: ['rivers', 'bridges', 'boats'] },
  {
    idempotencyKey: 'water',
    onProgress: (step) => {
      console.log('Studied', step)
      begun.resolve(undefined)
    },
  },
)
// The second run of this program gets the recorded outcome, without any progress.
await Promise.race([begun.promise, study])

const answer = await ada.ask.answer({ question: 'Is the library open?' })
console.log('Meanwhile:', answer.outcome === 'ok' ? answer.value : answer.outcome)

const result = await study
console.log(result.outcome === 'ok' ? `The report: ${result.value.report}` : result)
for (const { command, history } of await ada.turns()) {
  for (const { attempt, epoch, outcome, mode } of history) console.log(command, { attempt, epoch, outcome, mode })
}
