/**
 * A directory looked at from outside: beside its owner, or when nobody has it open.
 *
 * Lists of several shards are merged: each shard answers with as many rows as are wanted in all, in its order, and the rows of
 * all shards are put into the order that the list promises. Where that leaves two rows equal, the shard with the smaller index
 * comes first, and within a shard its own order stays.
 */
import { resolve } from 'node:path'
import { StoreUnavailable } from '../errors.ts'
import type {
  ActorDetail,
  ActorRow,
  DeadLetterRow,
  DirectoryReader,
  FaultRow,
  Finding,
  InboxRow,
  OwnerView,
  PromiseFilter,
  PromiseRow,
  RowFilter,
  ShardSummary,
  TimerRow,
  VerifyOptions,
} from '../maintenance.ts'
import { ownerFile, shardFile } from './layout.ts'
import { isHeld } from './reader-connection.ts'
import { readOwner, requireStore } from './reader-directory.ts'
import { ShardReader } from './reader-shard.ts'
import type { Selection } from './reader-shard.ts'
import { verifyDirectory } from './verify.ts'

const LIMIT_DEFAULT = 100

/**
 * Opens a directory to look at it. Nothing is written and nothing is kept open between two answers, so there is nothing that the
 * owner would have to wait for.
 *
 * Throws `DirectoryMissing`, `DirectoryNotOurs`, `SchemaTooNew`, `StoreDamaged` if `owner.db` is (use `verifyDirectory` then), or
 * `StoreUnavailable` where this process may not read. Each answer throws the same of the shards that it needs.
 */
export function openReader(directory: string): DirectoryReader {
  const absolute = resolve(directory)
  requireStore(absolute)
  return new SqliteReader(absolute, readOwner(absolute).shards)
}

class SqliteReader implements DirectoryReader {
  readonly directory: string
  readonly #shards: readonly ShardReader[]
  #isClosed = false

  constructor(directory: string, shards: number) {
    this.directory = directory
    this.#shards = Array.from({ length: shards }, (_, index) => new ShardReader(shardFile(directory, index), index))
  }

  owner(): OwnerView {
    this.#requireOpen()
    const { epoch, pid, since, shards } = readOwner(this.directory)
    return { epoch, pid, since, shards, isOwned: isHeld(ownerFile(this.directory)) }
  }

  shards(): readonly ShardSummary[] {
    this.#requireOpen()
    return this.#shards.map((shard) => shard.summary())
  }

  actors(filter: RowFilter = {}): readonly ActorRow[] {
    return this.#merge(filter, (shard, selection) => shard.actors(selection), byName)
  }

  actor(type: string, key: string): ActorDetail | undefined {
    this.#requireOpen()
    for (const shard of this.#shards) {
      const found = shard.actor(type, key)
      if (found !== undefined) return found
    }
    return undefined
  }

  inbox(filter: RowFilter = {}): readonly InboxRow[] {
    return this.#merge(
      filter,
      (shard, selection) => shard.inbox(selection),
      (left, right) => left.at - right.at,
    )
  }

  timers(filter: RowFilter = {}): readonly TimerRow[] {
    return this.#merge(
      filter,
      (shard, selection) => shard.timers(selection),
      (left, right) => left.dueAt - right.dueAt,
    )
  }

  promises(filter: PromiseFilter = {}): readonly PromiseRow[] {
    const { kind, type, key } = filter
    const isOfActor = type !== undefined || key !== undefined
    const effects = kind === 'message' ? [] : this.#merge(filter, (shard, selection) => shard.effects(selection), inOrder)
    const messages =
      kind === 'effect' || isOfActor ? [] : this.#merge(filter, (shard, selection) => shard.messages(selection.limit), inOrder)
    return [...effects, ...messages].slice(0, limitOf(filter))
  }

  deadLetters(filter: RowFilter = {}): readonly DeadLetterRow[] {
    return this.#merge(
      filter,
      (shard, selection) => shard.deadLetters(selection),
      (left, right) => right.at - left.at,
    )
  }

  faults(filter: RowFilter = {}): readonly FaultRow[] {
    return this.#merge(filter, (shard, selection) => shard.faults(selection), byName)
  }

  verify(options: VerifyOptions = {}): readonly Finding[] {
    this.#requireOpen()
    return verifyDirectory(this.directory, options)
  }

  close(): void {
    this.#isClosed = true
  }

  #merge<Row>(
    filter: RowFilter,
    read: (shard: ShardReader, selection: Selection) => Row[],
    order: (left: Row, right: Row) => number,
  ): Row[] {
    this.#requireOpen()
    const selection = { type: filter.type, key: filter.key, limit: limitOf(filter) }
    return this.#shards
      .flatMap((shard) => read(shard, selection))
      .sort(order)
      .slice(0, selection.limit)
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new StoreUnavailable('other', `the reader of ${this.directory} has been closed`)
  }
}

function limitOf({ limit = LIMIT_DEFAULT }: RowFilter): number {
  if (!Number.isInteger(limit) || limit < 1) throw new RangeError(`limit must be a whole number from 1, not ${limit}`)
  return limit
}

/** The order of the shards, and within them theirs. */
function inOrder(): number {
  return 0
}

interface Named {
  readonly type: string
  readonly key: string
}

function byName(left: Named, right: Named): number {
  return byBytes(left.type, right.type) || byBytes(left.key, right.key)
}

/** SQLite's order of texts, which is not that of JavaScript beyond the basic plane. */
function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}
