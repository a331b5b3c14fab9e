/**
 * One shard as a reader sees it: rows in the words of the reader, each answer from one moment.
 */
import type { Database } from 'better-sqlite3'
import { StoreDamaged } from '../errors.ts'
import type { ActorDetail, ActorRow, DeadLetterRow, FaultRow, InboxRow, PromiseRow, ShardSummary, TimerRow } from '../maintenance.ts'
import { look, sizeOf } from './reader-connection.ts'
import * as sql from './reader-sql.ts'
import { pragmaNumber, requireKnownVersion, shardSchema } from './schema.ts'

/** A filter with its limit. */
export interface Selection {
  readonly type: string | undefined
  readonly key: string | undefined
  readonly limit: number
}

/** Everything of one actor, whatever its size. */
const NO_LIMIT = -1

/** Reads the file of one shard; keeps nothing open. Throws `StoreDamaged`, `SchemaTooNew` or `StoreUnavailable`. */
export class ShardReader {
  readonly #file: string
  readonly #shard: number

  constructor(file: string, shard: number) {
    this.#file = file
    this.#shard = shard
  }

  summary(): ShardSummary {
    return this.#look((db, version) => {
      const row = db.prepare<[], SummaryRow>(sql.summary(version)).get()
      if (row === undefined) throw new StoreDamaged(this.#file, 'its row in meta is missing')
      return {
        ...row,
        index: this.#shard,
        file: this.#file,
        bytes: sizeOf(this.#file),
        walBytes: sizeOf(`${this.#file}-wal`),
        freeBytes: pragmaNumber(db, 'freelist_count') * pragmaNumber(db, 'page_size'),
        oldestInboxAt: row.oldestInboxAt ?? undefined,
        nextTimerAt: row.nextTimerAt ?? undefined,
      }
    })
  }

  /** By type and key. */
  actors(selection: Selection): ActorRow[] {
    return this.#look((db, version) => this.#actors(db, version, selection).map(({ number: _number, ...row }) => row))
  }

  actor(type: string, key: string): ActorDetail | undefined {
    return this.#look((db, version) => {
      const selection = { type, key, limit: NO_LIMIT }
      const [found] = this.#actors(db, version, selection)
      if (found === undefined) return undefined
      const { number, ...row } = found
      const snapshot = db.prepare<[number], { readonly snapshot: string }>('SELECT snapshot FROM actor WHERE number = ?').get(number)
      return {
        ...row,
        snapshot: snapshot?.snapshot ?? '',
        events: db.prepare<[number, number], ActorDetail['events'][number]>(sql.ofActor.events).all(number, row.revision),
        inbox: this.#inbox(db, selection),
        timersSet: this.#timers(db, selection),
        openCalls: db.prepare<[number], ActorDetail['openCalls'][number]>(sql.ofActor.openCalls).all(number),
        turnRows: db.prepare<[number], TurnRow>(sql.ofActor.turns).all(number).map(toTurn),
        leases: db.prepare<[number], ActorDetail['leases'][number]>(sql.ofActor.leases).all(number),
      }
    })
  }

  /** In the order of acceptance. */
  inbox(selection: Selection): InboxRow[] {
    return this.#look((db) => this.#inbox(db, selection))
  }

  /** The earliest first. */
  timers(selection: Selection): TimerRow[] {
    return this.#look((db) => this.#timers(db, selection))
  }

  /** Effects, the oldest first. */
  effects(selection: Selection): PromiseRow[] {
    const read = sql.effectList(givenOf(selection))
    return this.#look((db) =>
      db
        .prepare<Value[], EffectRow>(read)
        .all(...valuesOf(selection))
        .map(({ type, key, dueAt, input, ...row }) => ({
          ...row,
          shard: this.#shard,
          kind: 'effect',
          actor: { type, key },
          dueAt: dueAt ?? undefined,
          content: input,
        })),
    )
  }

  /** Messages for other shards, by peer, the oldest first. */
  messages(limit: number): PromiseRow[] {
    return this.#look((db) =>
      db
        .prepare<[number], MessageRow>(sql.messageList)
        .all(limit)
        .map(({ peer, sequence, message }) => ({
          shard: this.#shard,
          kind: 'message',
          sequence,
          name: String(peer),
          actor: undefined,
          attempts: 0,
          dueAt: undefined,
          content: message,
        })),
    )
  }

  /** The latest first. */
  deadLetters(selection: Selection): DeadLetterRow[] {
    return this.#look((db, version) =>
      db
        .prepare<Value[], LetterRow>(sql.letterList(givenOf(selection), version))
        .all(...valuesOf(selection))
        .map((row) => ({ ...row, shard: this.#shard, revision: row.revision ?? undefined })),
    )
  }

  /** By type and key. */
  faults(selection: Selection): FaultRow[] {
    return this.#look((db, version) => {
      const read = sql.faultList(givenOf(selection), version)
      if (read === undefined) return []
      const rows = db.prepare<Value[], Omit<FaultRow, 'shard'>>(read).all(...valuesOf(selection))
      return rows.map((row) => ({ shard: this.#shard, ...row }))
    })
  }

  #actors(db: Database, version: number, selection: Selection): NumberedActor[] {
    const rows = db.prepare<Value[], ActorRowRead>(sql.actorList(givenOf(selection), version)).all(...valuesOf(selection))
    if (rows.length === 0) return []
    const waiting = this.#waiting(db, selection)
    return rows.map((row) => ({
      ...row,
      shard: this.#shard,
      waiting: waiting.get(nameOf(row)) ?? 0,
      fault: row.fault ?? undefined,
    }))
  }

  #waiting(db: Database, selection: Selection): Map<string, number> {
    const read = db.prepare<Value[], { readonly type: string; readonly key: string; readonly count: number }>(
      sql.waitingCounts(givenOf(selection)),
    )
    return new Map(read.all(...valuesOf(selection).slice(0, -1)).map((row) => [nameOf(row), row.count]))
  }

  #inbox(db: Database, selection: Selection): InboxRow[] {
    const rows = db.prepare<Value[], InboxRead>(sql.inboxList(givenOf(selection))).all(...valuesOf(selection))
    return rows.map((row) => ({ ...row, shard: this.#shard, dueAt: row.dueAt ?? undefined }))
  }

  #timers(db: Database, selection: Selection): TimerRow[] {
    const rows = db.prepare<Value[], Omit<TimerRow, 'shard'>>(sql.timerList(givenOf(selection))).all(...valuesOf(selection))
    return rows.map((row) => ({ shard: this.#shard, ...row }))
  }

  #look<T>(read: (db: Database, version: number) => T): T {
    return look(this.#file, (db) => {
      const version = pragmaNumber(db, 'user_version')
      if (pragmaNumber(db, 'application_id') !== shardSchema.applicationId)
        throw new StoreDamaged(this.#file, 'it is not the file that Bailiwick put there')
      requireKnownVersion(this.#file, version, shardSchema)
      return read(db, version)
    })
  }
}

type Value = string | number

interface SummaryRow extends Omit<ShardSummary, 'index' | 'file' | 'bytes' | 'walBytes' | 'freeBytes' | 'oldestInboxAt' | 'nextTimerAt'> {
  readonly oldestInboxAt: number | null
  readonly nextTimerAt: number | null
}

type NumberedActor = ActorRow & { readonly number: number }

interface ActorRowRead extends Omit<NumberedActor, 'fault' | 'waiting' | 'shard'> {
  readonly fault: string | null
}

interface InboxRead extends Omit<InboxRow, 'shard' | 'dueAt'> {
  readonly dueAt: number | null
}

interface EffectRow {
  readonly sequence: number
  readonly name: string
  readonly type: string
  readonly key: string
  readonly attempts: number
  readonly dueAt: number | null
  readonly input: string
}

interface MessageRow {
  readonly peer: number
  readonly sequence: number
  readonly message: string
}

interface LetterRow extends Omit<DeadLetterRow, 'shard' | 'revision'> {
  readonly revision: number | null
}

interface TurnRow {
  readonly sequence: number
  readonly command: string
  readonly ended: number
  readonly detail: string
  readonly frame: number | null
}

function toTurn({ sequence, command, ended, detail, frame }: TurnRow): ActorDetail['turnRows'][number] {
  return { sequence, command, isEnded: ended === 1, detail, hasFrame: frame !== null }
}

function givenOf({ type, key }: Selection): sql.Given {
  return { type: type !== undefined, key: key !== undefined }
}

/** The values of a list's statement: type, key and limit, as far as they are given. */
function valuesOf({ type, key, limit }: Selection): Value[] {
  return [type, key, limit].filter((value) => value !== undefined)
}

function nameOf({ type, key }: { readonly type: string; readonly key: string }): string {
  return JSON.stringify([type, key])
}
