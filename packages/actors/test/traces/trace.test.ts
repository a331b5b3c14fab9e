/** Traces on real threads and files. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { openSystem } from '@bailiwick/kernel'
import type { System } from '@bailiwick/kernel'
import { describe, expect, onTestFinished, test } from 'vitest'
import { defineTrace } from '../../src/traces/define-trace.ts'
import { verifyTraceLines } from '../../src/traces/export-lines.ts'
import { Trace } from '../../src/traces/trace.ts'
import { audit, AUDIT_SECRET, auditSegments, namedAudit, shortAudit } from '../fixtures/audit.actor.ts'
import { place } from '../idempotency/place.ts'

async function open(directory = place(), shards = 2): Promise<System> {
  const system = await openSystem({ directory, actors: [audit, shortAudit, namedAudit, auditSegments], shards })
  onTestFinished(async () => void (await system.close()))
  return system
}

async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

describe('a trace', () => {
  test(
    'W16: two workers append 1,000 records each: one chain, 2,000 numbers without a gap, and it verifies',
    { timeout: 60_000 },
    async () => {
      const directory = place()
      const system = await open(directory)
      const workers = [new Trace(system, audit), new Trace(system, audit)]
      const seqs = await Promise.all(
        workers.map(async (worker, index) => {
          const mine: number[] = []
          for (let number = 0; number < 1_000; number += 50) {
            const group = Array.from({ length: 50 }, (_none, offset) => worker.append('main', { worker: index, number: number + offset }))
            mine.push(...(await Promise.all(group)).map(({ seq }) => seq))
          }
          return mine
        }),
      )
      expect(seqs.flat().sort((one, other) => one - other)).toEqual(Array.from({ length: 2_000 }, (_none, index) => index + 1))
      const trace = workers[0]!
      expect(await trace.verify('main')).toMatchObject({ outcome: 'intact', from: 0, records: 2_000, head: { seq: 2_000 } })

      const lines = await listOf(trace.export('main'))
      expect(lines).toHaveLength(2_002)
      const ofFirst = lines.slice(1, -1).map((line) => (JSON.parse(line) as { readonly record: { worker: number; number: number } }).record)
      for (const index of [0, 1]) {
        // Each worker's records stand in the order in which it has sent them.
        expect(ofFirst.filter(({ worker }) => worker === index).map(({ number }) => number)).toEqual(
          Array.from({ length: 1_000 }, (_none, number) => number),
        )
      }
      expect(await verifyTraceLines(lines, { secret: AUDIT_SECRET, chain: 'main' })).toMatchObject({ outcome: 'intact', records: 2_000 })
      const flipped = lines.with(1_234, lines[1_234]!.replace('"number":', '"nimber":'))
      expect(await verifyTraceLines(flipped, { secret: AUDIT_SECRET })).toMatchObject({ outcome: 'broken', seq: 1_234 })
    },
  )

  test('W16: one byte that was flipped in the files of the database is located at its number', async () => {
    for (const [seq, marker] of [
      [3, 'record-C'],
      [10, 'record-J'],
    ] as const) {
      const directory = place()
      const before = await open(directory, 1)
      const trace = new Trace(before, shortAudit)
      for (let number = 1; number <= 10; number += 1) await trace.append('main', { note: `record-${String.fromCharCode(64 + number)}` })
      expect(await trace.verify('main')).toMatchObject({ outcome: 'intact', records: 10 })
      await before.close()

      expect(flip(directory, marker, 'record-X')).toBeGreaterThan(0)
      const after = await open(directory, 1)
      const verdict = await new Trace(after, shortAudit).verify('main')
      expect(verdict).toMatchObject({ outcome: 'broken', seq, fault: 'edited' })
    }
  })

  test('a chain whose end somebody has cut, to the state that it once had, is not signed on as if nothing were', async () => {
    const directory = place()
    const before = await open(directory, 1)
    const trace = new Trace(before, shortAudit)
    const kept = await trace.append('main', { number: 1 })
    await trace.append('main', { number: 2 })
    const { context } = await before.actor(shortAudit, 'main').snapshot()
    await before.close()

    // All that somebody without the secret can know of the chain's first record, and none of its end's signature.
    const [first] = context.open
    const cut = { ...context, seq: 1, hash: kept.hash, open: [first] }
    expect(rewrite(directory, 'short-audit', JSON.stringify(cut))).toBe(1)
    const after = new Trace(await open(directory, 1), shortAudit)
    expect(await after.verify('main')).toMatchObject({ outcome: 'broken', seq: 2, fault: 'truncated' })
    await expect(after.append('main', { number: 3 })).rejects.toMatchObject({ code: 'TRACE_BROKEN', seq: 2 })
    await expect(after.prune('main', { through: 1 })).rejects.toMatchObject({ code: 'TRACE_BROKEN' })
  })

  test('rows that cannot be read any more are located at the segment that they were', async () => {
    const directory = place()
    const before = await open(directory, 1)
    const trace = new Trace(before, shortAudit)
    for (let number = 1; number <= 10; number += 1) await trace.append('main', { number })
    await trace.verify('main')
    await before.close()
    expect(
      flip(directory, '{"status":"active","context":{"isFull":true,"through":0,"records":[{"seq":5', '{"status":"active","context":['),
    ).toBeGreaterThan(0)
    const after = await open(directory, 1)
    const verdict = await new Trace(after, shortAudit).verify('main')
    expect(verdict).toMatchObject({ outcome: 'broken', seq: 5, fault: 'unreadable' })
    await expect(listOf(new Trace(after, shortAudit).export('main'))).rejects.toMatchObject({ code: 'TRACE_BROKEN', seq: 5 })
  })

  test('pruned through any number, it begins behind it, goes on, survives a restart, and is pruned in pieces where that is much', async () => {
    const directory = place()
    const before = await open(directory)
    const trace = new Trace(before, shortAudit)
    expect(await trace.prune('main', { through: 5 })).toBeNull()
    await Promise.all(Array.from({ length: 1_100 }, (_none, index) => trace.append('main', { index })))
    expect(await trace.prune('main', { through: 6 })).toMatchObject({ seq: 6 })
    expect(await trace.verify('main')).toMatchObject({ outcome: 'intact', from: 6, records: 1_094 })
    // More segments than one prune cuts.
    expect(await trace.prune('main', { through: 1_097 })).toMatchObject({ seq: 1_097 })
    expect(await trace.prune('main', { through: 100 })).toMatchObject({ seq: 1_097 })
    const [first] = await listOf(trace.read('main'))
    expect(first).toMatchObject({ seq: 1_098 })
    await before.close()

    const after = new Trace(await open(directory), shortAudit)
    expect(await after.append('main', {})).toMatchObject({ seq: 1_101 })
    expect(await after.verify('main')).toMatchObject({ outcome: 'intact', from: 1_097, records: 4 })
    expect(await after.prune('main', { through: 5_000 })).toMatchObject({ seq: 1_101 })
    expect(await after.verify('main')).toMatchObject({ outcome: 'intact', from: 1_101, records: 0 })
    expect(await after.append('main', {})).toMatchObject({ seq: 1_102 })
    const lines = await listOf(after.export('main'))
    expect(await verifyTraceLines(lines, { secret: AUDIT_SECRET })).toMatchObject({ outcome: 'intact', from: 1_101, records: 1 })
  })

  test('an append with a key counts once; what is too large or cannot be written is refused; what is secret is taken out before', async () => {
    const system = await open(place(), 1)
    const trace = new Trace(system, shortAudit)
    const first = await trace.append('main', { user: 'ada', password: '1234' }, { idempotencyKey: 'a' })
    expect(await trace.append('main', { user: 'ada', password: '1234' }, { idempotencyKey: 'a' })).toEqual(first)
    expect(await listOf(trace.read('main'))).toMatchObject([{ seq: 1, record: { user: 'ada', password: '(redacted)' } }])
    const circle: { self?: unknown } = {}
    circle.self = circle
    for (const wrong of ['x'.repeat(59), undefined, 5n, circle, () => 1]) {
      await expect(trace.append('main', wrong)).rejects.toMatchObject({ code: 'TRACE_RECORD_REFUSED' })
    }
    for (const odd of [
      null,
      0.1 + 0.2,
      [1, undefined, 2],
      { b: 1, 2: 'c', a: undefined },
      JSON.parse('{"__proto__":1}'),
      'ä\u2028"',
      new Date(0),
    ])
      await trace.append('main', odd)
    expect(await trace.verify('main')).toMatchObject({ outcome: 'intact', records: 8 })
    expect(await verifyTraceLines(await listOf(trace.export('main')), { secret: AUDIT_SECRET })).toMatchObject({ outcome: 'intact' })
  })

  test('without a secret nothing begins; a chain of another secret is neither continued nor pruned, and says so', async () => {
    const directory = place()
    delete process.env['AUDIT_SECRET']
    const before = await open(directory, 1)
    expect(() => new Trace(before, namedAudit)).toThrow(expect.objectContaining({ code: 'TRACE_SECRET_WRONG' }))
    await before.close()
    process.env['AUDIT_SECRET'] = 'the first secret of this chain'
    const first = await open(directory, 1)
    const trace = new Trace(first, namedAudit)
    for (let number = 0; number < 6; number += 1) await trace.append('main', { number })
    await first.close()

    process.env['AUDIT_SECRET'] = 'another secret, by mistake'
    const second = await open(directory, 1)
    const mistaken = new Trace(second, namedAudit)
    await expect(mistaken.append('main', {})).rejects.toMatchObject({ code: 'TRACE_SECRET_WRONG' })
    await expect(mistaken.prune('main', { through: 3 })).rejects.toMatchObject({ code: 'TRACE_SECRET_WRONG' })
    expect(await mistaken.verify('main')).toMatchObject({ outcome: 'broken', fault: 'wrong-secret' })
    await second.close()

    process.env['AUDIT_SECRET'] = 'the first secret of this chain'
    const third = new Trace(await open(directory, 1), namedAudit)
    expect(await third.verify('main')).toMatchObject({ outcome: 'intact', records: 6 })
    expect(await third.append('main', {})).toMatchObject({ seq: 7 })
    delete process.env['AUDIT_SECRET']
  })

  test('wrong rules are refused by name', () => {
    const options = { type: 'x', module: import.meta.url, segments: auditSegments, secret: () => AUDIT_SECRET }
    for (const [wrong, field] of [
      [{ segmentRecords: 1 }, 'segmentRecords'],
      [{ recordBytesMax: 0 }, 'recordBytesMax'],
      [{ bytes: 1 }, 'bytes'],
    ] as const) {
      expect(() => defineTrace({ ...options, ...wrong })).toThrow(expect.objectContaining({ code: 'INVALID_DEFINITION', field }))
    }
  })
})

/** Puts another context into the row of the only actor of a type. */
function rewrite(directory: string, type: string, context: string): number {
  let changes = 0
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.sqlite') && !name.endsWith('.db')) continue
    const database = new DatabaseSync(join(directory, name))
    const hasActors = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'actor'").get() !== undefined
    if (hasActors) {
      const { changes: changed } = database
        .prepare("UPDATE actor SET snapshot = json_set(snapshot, '$.context', json(?)) WHERE type = ?")
        .run(context, type)
      changes += Number(changed)
    }
    database.close()
  }
  return changes
}

/** Replaces a text wherever it stands in a file of the directory, and answers how often. The rest stays where it is. */
function flip(directory: string, from: string, to: string): number {
  let times = 0
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = join(entry.parentPath, entry.name)
    const bytes = readFileSync(file)
    for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1)) {
      bytes.write(to, at)
      times += 1
    }
    writeFileSync(file, bytes)
  }
  return times
}
