/**
 * Commands with a name of their sender's: a natural key, which says what the command is about, and delivery ids, which say
 * which deliveries it stands for. Names count for one command of one actor.
 *
 * 1. Waiting: a new delivery under the same natural key replaces the input and keeps the place; a delivery that is known
 *    changes nothing, so that an old one never overwrites a newer.
 * 2. Being worked on (its reply is deferred): the replaced input is what would be tried again after a failure.
 * 3. Failed (a dead letter): a new delivery takes the letter's place; a known one changes nothing.
 * 4. Handled: everything under the name is ignored for as long as idempotency records are kept.
 *
 * 1 is found in memory when a command arrives, with a look into the store for deliveries that an edit must not repeat; the
 * others when its turn comes and its actor is in memory.
 */
import type { Answer, StoredOutcome } from '@bailiwick/store'
import type { Cell, NameFinding, Waiting } from './cell.ts'
import type { ShardCore } from './core.ts'
import { decodeDetail, encodeDetail } from './detail.ts'
import type { Detail } from './detail.ts'
import { Gauge } from './gauges.ts'
import { isReply } from './open-call.ts'
import type { OpenReply } from './open-call.ts'

/** What arrival under a name led to. */
export type Named = 'accepted' | 'replaced' | 'duplicate'

/** The names of a command. */
type Names = Pick<Detail, 'naturalKey' | 'deliveries'>

const DUPLICATE: NameFinding = { kind: 'duplicate' }
/** Deliveries that a command keeps with it; those before them become records of their own. */
const DELIVERIES_MAX = 100

/** Whether a command has names. */
export function isNamed(waiting: Waiting): boolean {
  return waiting.detail?.naturalKey !== undefined
}

/** Lets an arriving command replace one of the same name that waits. `accepted` if there is none. */
export function editWaiting(core: ShardCore, arriving: Waiting): Answer<Named> {
  // A delivery that another command stands for already is known, whatever it is about.
  if (isDelivered(arriving)) return duplicate(core)
  const found = waitingUnder(arriving)
  if (found === undefined) return 'accepted'
  // What failed, or was replaced long ago, is known to the store only.
  const past = lookUpDeliveries(core, arriving)
  return past instanceof Promise ? past.then((known) => editFound(core, arriving, known)) : editFound(core, arriving, past)
}

/** Lets a command replace the input of the one that is being worked on under its name. `accepted` if there is none. */
export function editOpen(core: ShardCore, arriving: Waiting): Named {
  const { cell, detail } = arriving
  const open = detail === undefined ? undefined : openUnder(cell, arriving.command?.name, detail)
  if (open === undefined || detail === undefined) return 'accepted'
  if (!isNews(open, detail)) return duplicate(core)
  const changed: OpenReply = { ...open, input: arriving.input, deliveries: merge(core, arriving, open, detail).deliveries }
  cell.openCalls?.set(open.sequence, changed)
  core.batch.touch(cell)
  core.batch.openCall(core.numberOf(cell), changed, false)
  return 'replaced'
}

/** Makes a waiting command findable by its names. */
export function nameWaiting(waiting: Waiting): void {
  if (!isNamed(waiting)) return
  waiting.cell.named ??= new Map()
  for (const name of namesOf(waiting)) waiting.cell.named.set(name, waiting)
}

/** Forgets the names of a command that waits no more. */
export function unnameWaiting(waiting: Waiting): void {
  const { named } = waiting.cell
  if (named === undefined || !isNamed(waiting)) return
  for (const name of namesOf(waiting)) if (named.get(name) === waiting) named.delete(name)
  if (named.size === 0) waiting.cell.named = undefined
}

/** Whether a command has been handled, or has failed, under the names of this one. */
export function lookUpName(core: ShardCore, waiting: Waiting): Answer<NameFinding> {
  const { naturalKey } = waiting.detail ?? {}
  if (naturalKey === undefined) return undefined
  const record = recordOf(core, scopeOf('natural', waiting), naturalKey)
  const judge = (found: StoredOutcome | undefined): Answer<NameFinding> =>
    found === undefined ? lookUpDeliveries(core, waiting) : DUPLICATE
  return record instanceof Promise ? record.then(judge) : judge(record)
}

/** Gives a command that takes the place of a dead letter the letter's deliveries too: they are known from now on. */
export function inherit(core: ShardCore, waiting: Waiting, deliveries: readonly string[]): void {
  waiting.detail = merge(core, waiting, { deliveries }, waiting.detail ?? {}, waiting.detail)
}

/** Records that a command has been handled, under its names. */
export function recordNames(core: ShardCore, cell: Cell, command: string, names: Names | undefined): void {
  if (names?.naturalKey === undefined) return
  recordName(core, scopeFor('natural', cell, command), names.naturalKey)
  for (const delivery of names.deliveries ?? []) recordName(core, scopeFor('delivery', cell, command), delivery)
}

/** The recorded outcome under a scope and key, from the open batch or the store. */
export function recordOf(core: ShardCore, scope: string, key: string): Answer<StoredOutcome | undefined> {
  return core.batch.recorded.get(`${scope}${key}`) ?? core.store.outcome(scope, key, core.batch.at)
}

function waitingUnder(arriving: Waiting): Waiting | undefined {
  for (const name of namesOf(arriving)) {
    const found = arriving.cell.named?.get(name)
    if (found !== undefined && found !== arriving && !found.isWithdrawn && !found.isFinished) return found
  }
  return undefined
}

/** Whether a command that waits or is being worked on stands for one of the deliveries. */
function isDelivered({ cell, command, detail }: Waiting): boolean {
  const deliveries = detail?.deliveries
  if (deliveries === undefined) return false
  const isWaiting = deliveries.some((delivery) => {
    const found = cell.named?.get(`delivery ${command?.name ?? ''} ${delivery}`)
    return found !== undefined && !found.isWithdrawn && !found.isFinished
  })
  return isWaiting || openUnder(cell, command?.name, { deliveries }) !== undefined
}

function editFound(core: ShardCore, arriving: Waiting, past: NameFinding): Named {
  const found = waitingUnder(arriving)
  if (found === undefined) return 'accepted'
  const detail = arriving.detail ?? {}
  if (past?.kind === 'duplicate' || !isNews(found.detail, detail)) return duplicate(core)
  core.batch.edits.push({ waiting: found, input: found.input, detail: found.detail, call: arriving.call })
  found.input = arriving.input
  found.detail = merge(core, arriving, found.detail ?? {}, detail, found.detail)
  nameWaiting(found)
  if (found.sequence !== 0) {
    core.batch.inboxChanges.push({ sequence: found.sequence, input: JSON.stringify(found.input), detail: encodeDetail(found.detail) })
  }
  return 'replaced'
}

/** Whether a delivery is known to the store: recorded by itself, or with a dead letter under the same natural key. */
function lookUpDeliveries(core: ShardCore, waiting: Waiting, from = 0): Answer<NameFinding> {
  const delivery = waiting.detail?.deliveries?.[from]
  if (delivery === undefined) return lookUpLetter(core, waiting)
  const record = recordOf(core, scopeOf('delivery', waiting), delivery)
  const judge = (found: StoredOutcome | undefined): Answer<NameFinding> =>
    found === undefined ? lookUpDeliveries(core, waiting, from + 1) : DUPLICATE
  return record instanceof Promise ? record.then(judge) : judge(record)
}

function lookUpLetter(core: ShardCore, waiting: Waiting): Answer<NameFinding> {
  const { naturalKey } = waiting.detail ?? {}
  const command = waiting.command?.name ?? ''
  if (naturalKey === undefined) return undefined
  const { type, key } = actorOf(waiting.cell)
  const filter = { type, key, command, naturalKey }
  const judge = (letter: { readonly sequence: number; readonly detail: string } | undefined): NameFinding => {
    if (letter === undefined || core.leavingLetters.has(letter.sequence)) return undefined
    const known = decodeDetail(letter.detail)
    if (!isNews(known, waiting.detail ?? {})) return DUPLICATE
    return { kind: 'supersedes', letter: letter.sequence, deliveries: known?.deliveries ?? [] }
  }
  const inBatch = core.batch.deadLetters.findLast(
    (letter) => letter.type === type && letter.key === key && letter.command === command && letter.naturalKey === naturalKey,
  )
  if (inBatch !== undefined) return judge(inBatch)
  const found = core.store.deadLetters(filter, 1)
  return found instanceof Promise ? found.then(([letter]) => judge(letter)) : judge(found[0])
}

/** Whether an arriving delivery says something new. Without a delivery id every arrival does. */
function isNews(known: Names | undefined, arriving: Names): boolean {
  return arriving.deliveries === undefined || !arriving.deliveries.some((delivery) => known?.deliveries?.includes(delivery) === true)
}

/** Adds deliveries to those that are known. What is too much for a command to carry is recorded by itself. */
function merge(core: ShardCore, named: Waiting, known: Names, arriving: Names, rest: Detail = {}): Detail {
  const deliveries = [...new Set([...(known.deliveries ?? []), ...(arriving.deliveries ?? [])])]
  for (const delivery of deliveries.splice(0, Math.max(0, deliveries.length - DELIVERIES_MAX))) {
    recordName(core, scopeOf('delivery', named), delivery)
  }
  return deliveries.length === 0 ? rest : { ...rest, deliveries }
}

function openUnder(cell: Cell, command: string | undefined, { naturalKey, deliveries }: Names): OpenReply | undefined {
  for (const call of cell.openCalls?.values() ?? []) {
    if (!isReply(call) || call.command !== command) continue
    if (naturalKey !== undefined && call.naturalKey === naturalKey) return call
    if (deliveries?.some((delivery) => call.deliveries?.includes(delivery) === true) === true) return call
  }
  return undefined
}

function duplicate(core: ShardCore): Named {
  core.count(Gauge.duplicates)
  return 'duplicate'
}

function namesOf({ command, detail }: Waiting): readonly string[] {
  const { naturalKey, deliveries } = detail ?? {}
  const name = command?.name ?? ''
  return [
    ...(naturalKey === undefined ? [] : [`natural ${name} ${naturalKey}`]),
    ...(deliveries ?? []).map((delivery) => `delivery ${name} ${delivery}`),
  ]
}

function scopeOf(kind: 'natural' | 'delivery', { cell, command }: Waiting): string {
  return scopeFor(kind, cell, command?.name ?? '')
}

/** Different from the scope of a key, which has three parts. */
function scopeFor(kind: 'natural' | 'delivery', cell: Cell, command: string): string {
  const { type, key } = actorOf(cell)
  return JSON.stringify([kind, type, key, command])
}

function actorOf(cell: Cell): { readonly type: string; readonly key: string } {
  return { type: cell.kind.definition.storedAs, key: cell.key }
}

/** Recording a name again says the same: where there is a record that counts, nothing is to be done. */
function recordName(core: ShardCore, scope: string, key: string): void {
  const { batch, limits } = core
  if (batch.recorded.has(`${scope}${key}`) || core.committing?.recorded.has(`${scope}${key}`) === true) return
  const record = { fingerprint: '', outcome: '{}', expiresAt: batch.at + limits.idempotencyTtlMs }
  batch.outcomes.push({ scope, key, ...record })
  batch.recorded.set(`${scope}${key}`, record)
}
