/** Guarantees G1 to G4 on real threads and SQLite files. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { ledger } from '../fixtures/ledger.actor.ts'
import { codeOf, makePlace, until } from '../fixtures/place.ts'
import { probe } from '../fixtures/probe.actor.ts'

describe('G1 nothing that anyone outside can see happens before the state that caused it is on disk', () => {
  test('G1 a reply finds its state in the file, read through another connection', async () => {
    const { directory, open } = makePlace()
    const system = await open()
    for (let n = 1; n <= 20; n += 1) {
      await system.actor(probe, 'a').ask.mark({ text: `m${n}` })
      const db = new Sqlite(join(directory, 'shard-0.db'), { readonly: true })
      const row = db.prepare("SELECT snapshot FROM actor WHERE type = 'probe' AND key = 'a'").get() as { readonly snapshot: string }
      db.close()
      expect(row.snapshot).toContain(`m${n}`)
    }
  })

  test('G1 an action and an invoked child run only after a commit: where it is refused, neither runs', async () => {
    const { directory, file, open } = makePlace()
    const system = await open()
    await system.actor(probe, 'a').ask.mark({ text: 'before' })
    // A newer owner appears: the shard's next commit is refused.
    const db = new Sqlite(join(directory, 'shard-0.db'))
    const columns = (db.pragma('table_list') as readonly { readonly name: string }[])
      .map(({ name }) => ({
        name,
        columns: (db.pragma(`table_info(${name})`) as readonly { readonly name: string }[]).map((column) => column.name),
      }))
      .filter((table) => table.columns.includes('owner_epoch'))
    for (const { name } of columns) db.exec(`UPDATE ${name} SET epoch = epoch + 1`)
    db.close()
    const trace = file('trace')
    const outcomes = await Promise.all([
      codeOf(system.actor(probe, 'a').ask.trace({ file: trace, text: 'traced' })),
      codeOf(system.actor(probe, 'b').ask.invoke({ file: trace })),
    ])
    expect(outcomes).toEqual(['FENCED', 'FENCED'])
    expect(existsSync(trace)).toBe(false)
    expect(await codeOf(system.actor(probe, 'a').ask.marks())).toBe('FENCED')
  })

  test('G1 when it is allowed, the action runs after its row is written', async () => {
    const { file, open } = makePlace()
    const system = await open()
    const trace = file('trace')
    await system.actor(probe, 'a').ask.trace({ file: trace, text: 'one' })
    await until(
      () => existsSync(trace) && readFileSync(trace, 'utf8'),
      (text) => text === 'one\n',
    )
  })
})

describe('G2 an acknowledged command survives', () => {
  test('G2 the death of its thread', async () => {
    const { open } = makePlace()
    const system = await open()
    const ref = system.actor(probe, 'a')
    await ref.ask.mark({ text: 'kept' })
    await codeOf(ref.ask.die())
    const marks = await until(
      () => codeOf(ref.ask.marks()),
      (seen) => Array.isArray(seen),
    )
    expect(marks).toEqual(['died'])
    expect(await ref.ask.mark({ text: 'after' })).toBe(2)
  })

  test('G2 a tell that is acknowledged while it waits is handled after a restart', async () => {
    const { open } = makePlace()
    const first = await open({ limits: { batchCommands: 1 } })
    const tells = Array.from({ length: 200 }, (_none, index) => first.actor(ledger, 'a').tell.enter({ sender: 's', n: index + 1 }))
    await Promise.all(tells)
    await first.close({ timeoutMs: 0 })
    const second = await open()
    const state = await until(
      () => second.actor(ledger, 'a').ask.read(),
      ({ last }) => last['s'] === 200,
    )
    expect(state.violations).toEqual([])
  })
})

describe('G3 a command with a key takes effect exactly once', () => {
  test('G3 fifty at the same time execute once and get the same answer', async () => {
    const { open } = makePlace()
    const ref = (await open()).actor(probe, 'a')
    const answers = await Promise.all(Array.from({ length: 50 }, () => ref.ask.mark({ text: 'x' }, { idempotencyKey: 'k' })))
    expect(new Set(answers)).toEqual(new Set([1]))
    expect(await ref.ask.marks()).toEqual(['x'])
  })

  test('G3 after a restart the recorded answer comes back, whatever the state is now', async () => {
    const { open } = makePlace()
    const first = await open()
    await first.actor(probe, 'a').ask.mark({ text: 'x' }, { idempotencyKey: 'k' })
    await first.actor(probe, 'a').ask.mark({ text: 'y' })
    await first.close()
    const second = await open()
    expect(await second.actor(probe, 'a').ask.mark({ text: 'x' }, { idempotencyKey: 'k' })).toBe(1)
    expect(await second.actor(probe, 'a').ask.marks()).toEqual(['x', 'y'])
  })

  test('G3 the same key with another input is a conflict and executes nothing', async () => {
    const { open } = makePlace()
    const ref = (await open()).actor(probe, 'a')
    await ref.ask.mark({ text: 'x' }, { idempotencyKey: 'k' })
    expect(await codeOf(ref.ask.mark({ text: 'y' }, { idempotencyKey: 'k' }))).toBe('IDEMPOTENCY_CONFLICT')
    expect(await ref.ask.marks()).toEqual(['x'])
  })

  test('G3 the same key for another actor or another command is independent', async () => {
    const { open } = makePlace()
    const system = await open()
    expect(await system.actor(probe, 'a').ask.mark({ text: 'x' }, { idempotencyKey: 'k' })).toBe(1)
    expect(await system.actor(probe, 'b').ask.mark({ text: 'z' }, { idempotencyKey: 'k' })).toBe(1)
    await system
      .actor(probe, 'a')
      .ask.reset({}, { idempotencyKey: 'k' })
      .catch(() => undefined)
    expect(await system.actor(probe, 'a').ask.marks()).toEqual(['x'])
  })

  test('G3 without a key a repeat is a new command', async () => {
    const { open } = makePlace()
    const ref = (await open()).actor(probe, 'a')
    expect([await ref.ask.mark({ text: 'x' }), await ref.ask.mark({ text: 'x' })]).toEqual([1, 2])
  })

  test('G3 a refused command leaves no record: the same key works once the state takes it', async () => {
    const { open } = makePlace()
    const ref = (await open()).actor(probe, 'a')
    expect(await codeOf(ref.ask.reset({}, { idempotencyKey: 'k' }))).toBe('COMMAND_REJECTED')
    await ref.ask.hang()
    expect(await codeOf(ref.ask.reset({}, { idempotencyKey: 'k' }))).toBeUndefined()
  })
})

describe('G4 an actor handles one command at a time, run to completion', () => {
  test('G4 a thousand callers that each add one leave a thousand, on every shard', async () => {
    const { open } = makePlace()
    const system = await open({ shards: 3 })
    const refs = ['a', 'b', 'c', 'd', 'e'].map((key) => system.actor(probe, key))
    await Promise.all(Array.from({ length: 1_000 }, (_none, index) => refs[index % refs.length]?.ask.mark({ text: `${index}` })))
    const marks = await Promise.all(refs.map((ref) => ref.ask.marks()))
    expect(marks.map((each) => each.length)).toEqual([200, 200, 200, 200, 200])
    expect(new Set(marks.flat()).size).toBe(1_000)
  })

  test('G4 a command that throws or leaves what JSON cannot carry changes nothing', async () => {
    const { open } = makePlace()
    const ref = (await open()).actor(probe, 'a')
    await ref.ask.mark({ text: 'x' })
    expect(await codeOf(ref.ask.boom())).toBe('COMMAND_FAILED')
    await expect(ref.ask.hold({ value: 'v' })).rejects.toMatchObject({ code: 'NOT_SERIALIZABLE', field: 'context.marks.1' })
    expect(await ref.ask.mark({ text: 'y' })).toBe(2)
    expect(await ref.ask.marks()).toEqual(['x', 'y'])
  })

  test('G4 a file in the way of the directory is not touched', async () => {
    const { directory, open } = makePlace()
    writeFileSync(directory, 'mine')
    expect(await codeOf(open())).toMatch(/^DIRECTORY_/)
    expect(readFileSync(directory, 'utf8')).toBe('mine')
  })
})
