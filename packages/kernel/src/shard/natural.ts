/**
 * Commands with a name of their sender's: a natural key, which says what the command is about, and delivery ids, which say
 * which deliveries it stands for.
 *
 * 1. Waiting: a new delivery under the same natural key replaces the input and keeps the place; a delivery that is known
 *    changes nothing, so that an old one never overwrites a newer.
 * 2. Being worked on (its reply is deferred): the replaced input is what would be tried again after a failure.
 * 3. Failed (a dead letter): a new delivery takes the letter's place; a known one changes nothing.
 * 4. Handled: everything under the name is ignored for as long as idempotency records are kept.
 *
 * 1 and 2 are found in memory when a command arrives; 3 and 4 in the store when its turn comes.
 */
import type { Answer, StoredOutcome } from '@bailiwick/store'
import type { Cell, NameFinding, Waiting } from './cell.ts'
import type { ShardCore } from './core.ts'
import { decodeDetail, encodeDetail } from './detail.ts'
import type { Detail } from './detail.ts'
import { Gauge } from './gauges.ts'
import type { OpenReply } from './open-call.ts'

/** What arrival under a name led to. */
export type Named = 'accepted' | 'replaced' | 'duplicate'

const DUPLICATE: NameFinding = { kind: 'duplicate' }
/** Deliveries that one command remembers; what came before them is forgotten. */
const DELIVERIES_MAX = 100

/** Lets an arriving command replace one of the same name that waits or is being worked on. `accepted` if there is none. */
export function editNamed(core: ShardCore, arriving: Waiting): Named {
  const { cell, detail } = arriving
  if (detail?.naturalKey === undefined && detail?.deliveries === undefined) return 'accepted'
  const found = namesOf(detail)
    .map((name) => cell.named?.get(name))
    .find((waiting) => waiting?.isWithdrawn === false)
  if (found !== undefined) {
    if (!isNews(found.detail, detail)) return duplicate(core)
    core.batch.edits.push({ waiting: found, input: found.input, detail: found.detail })
    found.input = arriving.input
    found.detail = merged(found.detail, detail)
    nameWaiting(found)
    if (found.sequence !== 0) {
      core.batch.inboxChanges.push({ sequence: found.sequence, input: JSON.stringify(found.input), detail: encodeDetail(found.detail) })
    }
    return 'replaced'
  }
  const open = openUnder(cell, detail)
  if (open === undefined) return 'accepted'
  if (!isNews(open, detail)) return duplicate(core)
  const changed: OpenReply = { ...open, input: arriving.input, deliveries: merged(open, detail).deliveries }
  cell.openCalls?.set(open.sequence, changed)
  core.batch.touch(cell)
  core.batch.openCall(core.numberOf(cell), changed, false)
  return 'replaced'
}

/** Makes a waiting command findable by its names. */
export function nameWaiting(waiting: Waiting): void {
  const { cell, detail } = waiting
  if (detail?.naturalKey === undefined && detail?.deliveries === undefined) return
  cell.named ??= new Map()
  for (const name of namesOf(detail)) cell.named.set(name, waiting)
}

/** Forgets the names of a command that waits no more. */
export function unnameWaiting(waiting: Waiting): void {
  const { named } = waiting.cell
  if (named === undefined || waiting.detail === undefined) return
  for (const name of namesOf(waiting.detail)) if (named.get(name) === waiting) named.delete(name)
  if (named.size === 0) waiting.cell.named = undefined
}

/** Whether a command has been handled, or has failed, under the names of this one. */
export function lookUpName(core: ShardCore, waiting: Waiting): Answer<NameFinding> {
  const { detail } = waiting
  if (detail?.naturalKey === undefined && detail?.deliveries === undefined) return undefined
  const { type, key } = actorOf(waiting.cell)
  const names: readonly (readonly [scope: string, name: string])[] = [
    ...(detail.naturalKey === undefined ? [] : [[scopeOf('natural', type, key), detail.naturalKey] as const]),
    ...(detail.deliveries ?? []).map((delivery) => [scopeOf('delivery', type, key), delivery] as const),
  ]
  return lookUpFrom(core, waiting, detail, names)
}

/** Looks up one name after the other; goes on with promises only where the store answers with one. */
function lookUpFrom(
  core: ShardCore,
  waiting: Waiting,
  detail: Detail,
  [next, ...rest]: readonly (readonly [scope: string, name: string])[],
): Answer<NameFinding> {
  if (next === undefined) return lookUpLetter(core, waiting, detail)
  const record = recordOf(core, ...next)
  const judge = (found: StoredOutcome | undefined): Answer<NameFinding> =>
    found === undefined ? lookUpFrom(core, waiting, detail, rest) : DUPLICATE
  return record instanceof Promise ? record.then(judge) : judge(record)
}

/** Records that a command has been handled, under its names. */
export function recordNames(core: ShardCore, cell: Cell, names: Pick<Detail, 'naturalKey' | 'deliveries'> | undefined): void {
  if (names?.naturalKey === undefined && names?.deliveries === undefined) return
  const { type, key } = actorOf(cell)
  if (names.naturalKey !== undefined) recordName(core, scopeOf('natural', type, key), names.naturalKey)
  for (const delivery of names.deliveries ?? []) recordName(core, scopeOf('delivery', type, key), delivery)
}

/** The recorded outcome under a scope and key, from the open batch or the store. */
export function recordOf(core: ShardCore, scope: string, key: string): Answer<StoredOutcome | undefined> {
  return core.batch.recorded.get(`${scope}${key}`) ?? core.store.outcome(scope, key, core.batch.at)
}

function lookUpLetter(core: ShardCore, waiting: Waiting, detail: Detail): Answer<NameFinding> {
  const { naturalKey } = detail
  if (naturalKey === undefined) return undefined
  const { type, key } = actorOf(waiting.cell)
  const inBatch = core.batch.deadLetters.find((letter) => letter.type === type && letter.key === key && letter.naturalKey === naturalKey)
  const judge = (letter: { readonly sequence: number; readonly detail: string } | undefined): NameFinding => {
    if (letter === undefined || core.batch.deadLettersRemoved.includes(letter.sequence)) return undefined
    return isNews(decodeDetail(letter.detail), detail) ? { kind: 'supersedes', letter: letter.sequence } : DUPLICATE
  }
  if (inBatch !== undefined) return judge(inBatch)
  const found = core.store.deadLetters({ type, key, naturalKey }, 1)
  return found instanceof Promise ? found.then(([letter]) => judge(letter)) : judge(found[0])
}

/** Whether an arriving delivery says something new. Without a delivery id every arrival does. */
function isNews(known: Pick<Detail, 'deliveries'> | undefined, arriving: Detail): boolean {
  return arriving.deliveries === undefined || !arriving.deliveries.some((delivery) => known?.deliveries?.includes(delivery) === true)
}

function merged(known: Pick<Detail, 'deliveries'> | undefined, arriving: Detail): Detail {
  const deliveries = [...(known?.deliveries ?? []), ...(arriving.deliveries ?? [])].slice(-DELIVERIES_MAX)
  return deliveries.length === 0 ? { ...known } : { ...known, deliveries }
}

function openUnder(cell: Cell, { naturalKey, deliveries }: Detail): OpenReply | undefined {
  for (const call of cell.openCalls?.values() ?? []) {
    if (call.kind !== 'reply') continue
    if (naturalKey !== undefined && call.naturalKey === naturalKey) return call
    if (deliveries?.some((delivery) => call.deliveries?.includes(delivery) === true) === true) return call
  }
  return undefined
}

function duplicate(core: ShardCore): Named {
  core.count(Gauge.duplicates)
  return 'duplicate'
}

function namesOf({ naturalKey, deliveries }: Pick<Detail, 'naturalKey' | 'deliveries'>): readonly string[] {
  return [...(naturalKey === undefined ? [] : [`natural ${naturalKey}`]), ...(deliveries ?? []).map((delivery) => `delivery ${delivery}`)]
}

function scopeOf(kind: 'natural' | 'delivery', type: string, key: string): string {
  return JSON.stringify([kind, type, key, null])
}

function actorOf(cell: Cell): { readonly type: string; readonly key: string } {
  return { type: cell.kind.definition.type, key: cell.key }
}

function recordName(core: ShardCore, scope: string, key: string): void {
  const { batch, limits } = core
  const record = { fingerprint: '', outcome: '{}', expiresAt: batch.at + limits.idempotencyTtlMs }
  if (batch.recorded.has(`${scope}${key}`)) return
  batch.outcomes.push({ scope, key, ...record })
  batch.recorded.set(`${scope}${key}`, record)
}
