/** The deliveries of the replay: the same in every run, and about many actors. */

import { expect, test } from 'vitest'
import { deliveriesOf, readExamples, ROUNDS_DISTINCT } from '../coordinator/payloads.ts'
import { translate } from '../coordinator/translate.ts'

const examples = readExamples()

test('a round is the same deliveries whenever it is asked for', () => {
  expect(deliveriesOf(7, examples)).toEqual(deliveriesOf(7, readExamples()))
})

test('a delivery id is used again only for the same delivery', () => {
  const deliveries = [0, 1, 49, 50, ROUNDS_DISTINCT].flatMap((round) => deliveriesOf(round, examples))
  const first = new Map(deliveries.filter(({ isRepeat }) => !isRepeat).map((delivery) => [delivery.id, delivery]))
  const repeats = deliveries.filter(({ isRepeat }) => isRepeat)
  expect(first.size + repeats.length).toBe(deliveries.length)
  expect(repeats.length).toBeGreaterThan(0)
  for (const repeat of repeats) expect({ ...repeat, isRepeat: false }).toEqual(first.get(repeat.id))
})

test('rounds tell of other actors until the story begins again', () => {
  const pullRequestsOf = (round: number): readonly string[] => {
    const translations = deliveriesOf(round, examples).map((delivery) => translate(delivery))
    const commands = translations.flatMap((translation) => (translation.kind === 'commands' ? translation.commands : []))
    const addresses = commands.filter(({ actor }) => actor !== 'repository').map(({ actor, key }) => [actor, ...key].join('/'))
    return [...new Set(addresses)]
  }
  const [first, next, later] = [0, 1, 50].map(pullRequestsOf)
  expect(first?.filter((actor) => next?.includes(actor) === true || later?.includes(actor) === true)).toEqual([])
  expect(pullRequestsOf(ROUNDS_DISTINCT)).toEqual(first)
})

test('one delivery of a round is mangled, and only that one is refused', () => {
  const refused = deliveriesOf(3, examples).filter((delivery) => translate(delivery).kind === 'refused')
  expect(refused.map(({ id }) => id)).toEqual(['round-3-mangled'])
})
