/**
 * The schema of the two kinds of files, as numbered migrations.
 *
 * A file's `application_id` says which kind it is, its `user_version` which migrations it has seen. A migration that has
 * been released is never edited: a change of the schema is a new entry at the end of its list.
 */
import type { Database } from 'better-sqlite3'
import { SchemaTooNew, StoreDamaged } from '../errors.ts'

/** One step of a schema: the statements that bring a file from the version before to `version`. */
export interface Migration {
  readonly version: number
  readonly sql: string
}

/** A kind of file: how it is recognised and how it is brought up to date. */
export interface Schema {
  /** SQLite's `application_id`, four letters as a number. */
  readonly applicationId: number
  /** Ascending by version, without gaps, beginning with 1. */
  readonly migrations: readonly Migration[]
}

/** `owner.db`: who owns the directory, and how it is laid out. */
export const ownerSchema: Schema = {
  applicationId: 0x424c574f, // "BLWO"
  migrations: [
    {
      version: 1,
      sql: `
        CREATE TABLE owner (
          id INTEGER PRIMARY KEY CHECK (id = 1),
          epoch INTEGER NOT NULL,
          pid INTEGER NOT NULL,
          since INTEGER NOT NULL,
          shards INTEGER NOT NULL CHECK (shards > 0),
          created INTEGER NOT NULL CHECK (created IN (0, 1))
        ) STRICT;`,
    },
  ],
}

/**
 * `shard-N.db`: the actors of one shard and what waits for them.
 *
 * `meta` holds high-water marks beside the epoch, so that numbers, sequences and generations are never given twice, even
 * when the rows that had them are gone. Tables that are read by a compound key are WITHOUT ROWID: one tree instead of two.
 */
export const shardSchema: Schema = {
  applicationId: 0x424c5753, // "BLWS"
  migrations: [
    {
      version: 1,
      sql: `
        CREATE TABLE meta (
          id INTEGER PRIMARY KEY CHECK (id = 1),
          shard INTEGER NOT NULL,
          epoch INTEGER NOT NULL,
          owner_epoch INTEGER NOT NULL,
          committed_at INTEGER NOT NULL,
          recovered_at INTEGER NOT NULL,
          actor_number INTEGER NOT NULL,
          sequence INTEGER NOT NULL,
          timer_generation INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE actor (
          number INTEGER PRIMARY KEY,
          type TEXT NOT NULL,
          key TEXT NOT NULL,
          revision INTEGER NOT NULL,
          version INTEGER NOT NULL,
          snapshot TEXT NOT NULL,
          UNIQUE (type, key)
        ) STRICT;

        CREATE TABLE journal (
          actor INTEGER NOT NULL REFERENCES actor (number),
          sequence INTEGER NOT NULL,
          at INTEGER NOT NULL,
          event TEXT NOT NULL,
          PRIMARY KEY (actor, sequence)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE inbox (
          sequence INTEGER PRIMARY KEY,
          id TEXT NOT NULL,
          type TEXT NOT NULL,
          key TEXT NOT NULL,
          command TEXT NOT NULL,
          lane INTEGER NOT NULL,
          at INTEGER NOT NULL,
          due_at INTEGER,
          input TEXT NOT NULL,
          idempotency_key TEXT,
          fingerprint TEXT,
          detail TEXT,
          CHECK ((idempotency_key IS NULL) = (fingerprint IS NULL))
        ) STRICT;
        CREATE INDEX inbox_due ON inbox (due_at, sequence) WHERE due_at IS NOT NULL;

        -- Keys made by one sender often ascend, so key first keeps the rows of a batch together; scope first would scatter them.
        CREATE TABLE idempotency (
          scope TEXT NOT NULL,
          key TEXT NOT NULL,
          fingerprint TEXT NOT NULL,
          outcome TEXT NOT NULL,
          expires_at INTEGER NOT NULL,
          PRIMARY KEY (key, scope)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX idempotency_expiry ON idempotency (expires_at);

        CREATE TABLE timer (
          actor INTEGER NOT NULL REFERENCES actor (number),
          name TEXT NOT NULL,
          generation INTEGER NOT NULL,
          due_at INTEGER NOT NULL,
          event TEXT NOT NULL,
          delay_ms INTEGER NOT NULL,
          every_ms INTEGER NOT NULL,
          on_restart TEXT NOT NULL CHECK (on_restart IN ('deadline', 'remaining', 'restart')),
          PRIMARY KEY (actor, name)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX timer_due ON timer (due_at, generation);
        CREATE INDEX timer_restart ON timer (on_restart, due_at) WHERE on_restart <> 'deadline';

        CREATE TABLE open_call (
          sequence INTEGER PRIMARY KEY,
          actor INTEGER NOT NULL REFERENCES actor (number),
          detail TEXT NOT NULL
        ) STRICT;
        CREATE INDEX open_call_actor ON open_call (actor, sequence);

        -- Turns that have ended stay for a while; the index of those that have not costs an actor without one almost nothing.
        CREATE TABLE turn (
          sequence INTEGER PRIMARY KEY,
          actor INTEGER NOT NULL REFERENCES actor (number),
          command TEXT NOT NULL,
          ended INTEGER NOT NULL CHECK (ended IN (0, 1)),
          detail TEXT NOT NULL
        ) STRICT;
        CREATE INDEX turn_actor ON turn (actor, ended, sequence DESC);
        CREATE INDEX turn_open ON turn (actor, sequence) WHERE ended = 0;

        -- Beside its turn, so that a turn changes without its frame being written again.
        CREATE TABLE frame (
          turn INTEGER PRIMARY KEY REFERENCES turn (sequence) ON DELETE CASCADE,
          frame TEXT NOT NULL,
          discarded INTEGER NOT NULL CHECK (discarded IN (0, 1))
        ) STRICT;

        CREATE TABLE lease (
          actor INTEGER NOT NULL REFERENCES actor (number),
          name TEXT NOT NULL,
          epoch INTEGER NOT NULL,
          detail TEXT NOT NULL,
          PRIMARY KEY (actor, name)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE late_result (
          sequence INTEGER PRIMARY KEY,
          type TEXT NOT NULL,
          key TEXT NOT NULL,
          epoch INTEGER NOT NULL,
          detail TEXT NOT NULL,
          at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX late_result_actor ON late_result (type, key, sequence);

        CREATE TABLE process (
          sequence INTEGER PRIMARY KEY,
          detail TEXT NOT NULL
        ) STRICT;

        CREATE TABLE outbox (
          peer INTEGER NOT NULL,
          sequence INTEGER NOT NULL,
          message TEXT NOT NULL,
          PRIMARY KEY (peer, sequence)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE link (
          peer INTEGER PRIMARY KEY,
          sent INTEGER NOT NULL,
          received INTEGER NOT NULL
        ) STRICT;

        -- An effect that is being tried has no due_at, and so is in no one's way in the index of those that wait.
        CREATE TABLE effect (
          sequence INTEGER PRIMARY KEY,
          name TEXT NOT NULL,
          idempotency_key TEXT NOT NULL,
          type TEXT NOT NULL,
          key TEXT NOT NULL,
          label TEXT,
          turn INTEGER,
          claimed INTEGER NOT NULL CHECK (claimed IN (0, 1)),
          attempts INTEGER NOT NULL,
          due_at INTEGER,
          input TEXT NOT NULL,
          detail TEXT,
          CHECK (due_at IS NOT NULL OR claimed = 1)
        ) STRICT;
        CREATE INDEX effect_due ON effect (name, due_at, sequence) WHERE due_at IS NOT NULL;
        CREATE INDEX effect_tried ON effect (due_at) WHERE due_at IS NULL;
        CREATE INDEX effect_label ON effect (type, key, label) WHERE label IS NOT NULL;
        CREATE INDEX effect_turn ON effect (turn) WHERE turn IS NOT NULL;

        CREATE TABLE dead_letter (
          sequence INTEGER PRIMARY KEY,
          type TEXT NOT NULL,
          key TEXT NOT NULL,
          command TEXT NOT NULL,
          reason TEXT NOT NULL,
          natural_key TEXT,
          at INTEGER NOT NULL,
          error TEXT NOT NULL,
          input TEXT NOT NULL,
          detail TEXT NOT NULL
        ) STRICT;
        CREATE INDEX dead_letter_natural_key ON dead_letter (type, key, natural_key, sequence) WHERE natural_key IS NOT NULL;`,
    },
    {
      version: 2,
      sql: `
        -- By name and not by number: an actor can fail before it has ever been stored.
        CREATE TABLE fault (
          type TEXT NOT NULL,
          key TEXT NOT NULL,
          detail TEXT NOT NULL,
          PRIMARY KEY (type, key)
        ) STRICT, WITHOUT ROWID;

        ALTER TABLE dead_letter ADD COLUMN revision INTEGER;`,
    },
  ],
}

/** The newest version that this code knows. */
export function latestVersion(schema: Schema): number {
  return schema.migrations.at(-1)?.version ?? 0
}

/** Throws `SchemaTooNew` if the file was written by a newer version of the code. */
export function requireKnownVersion(file: string, found: number, schema: Schema): void {
  if (found > latestVersion(schema)) throw new SchemaTooNew(file, found, latestVersion(schema))
}

/**
 * Brings a file up to date, from nothing or from an older version. Runs inside the caller's immediate transaction, so a
 * crash leaves the file as it was. Answers whether anything changed.
 */
export function migrate(db: Database, file: string, schema: Schema): boolean {
  const found = pragmaNumber(db, 'user_version')
  requireKnownVersion(file, found, schema)
  if (found === latestVersion(schema)) return false
  if (found === 0) {
    if (pragmaNumber(db, 'schema_version') !== 0) throw new StoreDamaged(file, 'it is a database of another program')
    db.pragma(`application_id = ${schema.applicationId}`)
  }
  for (const migration of schema.migrations) {
    if (migration.version > found) db.exec(migration.sql)
  }
  db.pragma(`user_version = ${latestVersion(schema)}`)
  return true
}

/** Reads a pragma whose value is a number. */
export function pragmaNumber(db: Database, name: string): number {
  return Number(db.pragma(name, { simple: true }))
}
