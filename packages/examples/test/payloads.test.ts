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
  const actorsOf = (round: number): readonly string[] =>
    deliveriesOf(round, examples)
      .map((delivery) => translate(delivery))
      .flatMap((translation) => (translation.kind === 'commands' ? translation.commands : []))
      .map(({ actor, key }) => [actor, ...key].join('/'))
  const pullRequests = (round: number): ReadonlySet<string> => new Set(actorsOf(round).filter((actor) => !actor.startsWith('repository/')))
  expect(pullRequests(0).isDisjointFrom(pullRequests(1))).toBe(true)
  expect(pullRequests(0).isDisjointFrom(pullRequests(50))).toBe(true)
  expect(pullRequests(ROUNDS_DISTINCT)).toEqual(pullRequests(0))
})

test('one delivery of a round is mangled, and only that one is refused', () => {
  const refused = deliveriesOf(3, examples).filter((delivery) => translate(delivery).kind === 'refused')
  expect(refused.map(({ id }) => id)).toEqual(['round-3-mangled'])
})
