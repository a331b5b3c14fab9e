/**
 * The deliveries of the demo: GitHub's own example payloads, many times over.
 *
 * A round is every example once, told about another copy of the repositories and pull requests in it, so that many actors
 * are at work. To each round belong two of the mishaps that webhooks have: some deliveries come twice, and one is mangled.
 * Everything follows from the round's number: the same round is the same deliveries, ids included, in every run.
 */

import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { Delivery } from './translate.ts'

/** The repositories of the examples exist so many times. */
const REPOSITORY_COPIES = 50

/** Each of their pull requests exists so many times in each copy. */
const PULL_REQUEST_COPIES = 10

/** After so many rounds the same actors are told a second story. */
export const ROUNDS_DISTINCT = REPOSITORY_COPIES * PULL_REQUEST_COPIES

/** One delivery in so many is delivered again, with the same id. */
const REDELIVERED_EVERY = 40

/** In one round out of so many, pull requests are merged when they are closed. */
const MERGED_EVERY = 5

/** A delivery of the replay. `isRepeat` says that a delivery with this id came before. */
export interface ReplayedDelivery extends Delivery {
  readonly isRepeat: boolean
}

type JsonObject = Readonly<Record<string, unknown>>

/** One example of GitHub's: an event and its payload. */
export interface Example {
  readonly event: string
  readonly payload: JsonObject
}

/** GitHub's examples, in the order of the package. */
export function readExamples(): readonly Example[] {
  const file = new URL(import.meta.resolve('@octokit/webhooks-examples'))
  const corpus = z.array(z.object({ name: z.string(), examples: z.array(z.record(z.string(), z.unknown())) }))
  return corpus
    .parse(JSON.parse(readFileSync(file, 'utf8')))
    .flatMap(({ name, examples }) => examples.map((payload) => ({ event: name, payload })))
}

/** The deliveries of one round. */
export function deliveriesOf(round: number, examples: readonly Example[]): readonly ReplayedDelivery[] {
  const changes = changesFor(round)
  const first = examples.map(({ event, payload }, index) => ({
    id: `round-${round}-${index}`,
    event,
    payload: changed(payload, changes),
    isRepeat: false,
  }))
  const again = first.filter((_, index) => index % REDELIVERED_EVERY === round % REDELIVERED_EVERY)
  const repeats = again.map((delivery) => ({ ...delivery, isRepeat: true }))
  return [...first, ...repeats, ...mangled(round, first)]
}

/** A pull request that lost its number on the way. */
function mangled(round: number, deliveries: readonly ReplayedDelivery[]): readonly ReplayedDelivery[] {
  const whole = deliveries.find(({ event }) => event === 'pull_request')
  if (whole === undefined) return []
  const payload = changed(whole.payload, { pull_request: { number: () => undefined } })
  return [{ ...whole, id: `round-${round}-mangled`, payload }]
}

/** How a payload is changed: by field the function that makes the new value, or the changes inside it. */
interface Changes {
  readonly [field: string]: Changes | ((value: unknown) => unknown)
}

/** The same value with the changes made, where it has the fields. The original stays as it is. */
function changed(value: unknown, changes: Changes): unknown {
  if (!isObject(value)) return value
  const copy: Record<string, unknown> = { ...value }
  for (const [field, change] of Object.entries(changes)) {
    if (field in copy) copy[field] = typeof change === 'function' ? change(copy[field]) : changed(copy[field], change)
  }
  return copy
}

/** What makes the payloads of a round tell of other repositories and pull requests than those of another round. */
function changesFor(round: number): Changes {
  const repositoryCopy = round % REPOSITORY_COPIES
  const pullRequestCopy = Math.floor(round / REPOSITORY_COPIES) % PULL_REQUEST_COPIES
  const story = Math.floor(round / ROUNDS_DISTINCT)
  const number = by(pullRequestCopy * 100_000)
  const firstComment = by(pullRequestCopy * 10_000_000_000)
  return {
    repository: { id: by(repositoryCopy * 10_000_000_000), full_name: (name) => `${String(name)}-${repositoryCopy}` },
    number,
    pull_request: { number, merged: (isMerged) => isMerged === true || round % MERGED_EVERY === 0 },
    check_run: { pull_requests: each({ number }) },
    thread: { comments: each({ id: firstComment }) },
    // The first story begins the thread; the comments of later ones answer in it.
    comment: (comment) =>
      isObject(comment) && story > 0
        ? { ...comment, id: by(story)(firstComment(comment['id'])), in_reply_to_id: firstComment(comment['id']) }
        : changed(comment, { id: firstComment }),
  }
}

function by(offset: number): (value: unknown) => unknown {
  return (value) => (typeof value === 'number' ? value + offset : value)
}

function each(changes: Changes): (value: unknown) => unknown {
  return (value) => (Array.isArray(value) ? value.map((entry) => changed(entry, changes)) : value)
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
