/** G1, G2 and G11 with files whose content is damaged: nobody else is concerned, nothing is overwritten, and all is back with the content. */
import { readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openSystem } from '@bailiwick/kernel'
import { describe, expect, test } from 'vitest'
import { ledger } from '../fixtures/ledger.actor.ts'
import { spoilPage } from './fixtures/pages.ts'
import {
  advance,
  beginLoad,
  bytesOf,
  copyCrashed,
  errorsIn,
  expectClean,
  expectWhole,
  reopenClean,
  startSubject,
  untilFaulty,
} from './fixtures/subject.ts'
import type { Subject } from './fixtures/subject.ts'

const DAMAGED = 'STORE_DAMAGED'

/** A system without load, everything of which is in the files of its shards, and nothing in memory. */
async function settled(): Promise<Subject> {
  const subject = startSubject()
  const { does } = subject
  await beginLoad(subject)
  await does.rest()
  await does.close()
  await does.open()
  return subject
}

describe('a damaged page', () => {
  test('G2 G11 that is met by the reading of an actor is an error for its callers alone, and over when the page is back', async () => {
    const subject = await settled()
    const { does } = subject
    // The ledger of shard 0 is on this page; it is read when somebody wants it.
    const mend = spoilPage(subject.file(0), 'actor')
    await does.start()
    await advance(does, [1])
    const { status, errors } = await does.look()
    expect(errors).toEqual([[DAMAGED], []])
    expect(status).toBe('ready')
    mend()
    await advance(does, [0, 1])
    await expectClean(subject)
  })

  test('G1 G2 G11 that is met by a commit stops the shard and no other, until the system is opened again with the page back', async () => {
    const subject = await settled()
    const { does } = subject
    const mend = spoilPage(subject.file(0), 'meta')
    await does.start()
    const { errors } = await untilFaulty(does, [0], DAMAGED)
    expect(errors).toEqual([[DAMAGED], []])
    const { reasons, told } = await advance(does, [1])
    expect(reasons).toHaveLength(1)
    expect(told).toEqual([`shard.stopped 0 ${DAMAGED}`])
    await does.leave()
    expect(await does.close()).toBe('polite')
    expect((await does.verify()).join('\n')).toContain('damaged-page')
    await expect(does.open()).rejects.toMatchObject({ code: DAMAGED, fields: { file: subject.file(0) } })
    mend()
    await reopenClean(does)
  })
})

const spoilings: readonly (readonly [what: string, spoil: (file: string) => void])[] = [
  ['cut in the middle', (file) => truncateSync(file, 3 * 4_096)],
  ['cut to nothing', (file) => truncateSync(file, 0)],
  ['gone', (file) => renameSync(file, `${file}.away`)],
  ['overwritten at its beginning', (file) => writeFileSync(file, 'not a database', { flag: 'r+' })],
  ['overwritten in the middle', (file) => void spoilPage(file, 'actor')],
]

describe('a directory that is opened', () => {
  test('G2 with a file that is cut, empty, gone or overwritten is refused with its name; it stays as it is, and all is there once it is back', async () => {
    const subject = startSubject()
    const { does, directory } = subject
    await beginLoad(subject)
    await does.rest()
    await does.close()
    const file = subject.file(1)
    const content = readFileSync(file)
    for (const [what, spoil] of spoilings) {
      spoil(file)
      const before = bytesOf(directory, 'shard-1')
      await expect(does.open(), what).rejects.toMatchObject({ code: DAMAGED, fields: { file } })
      expect(bytesOf(directory, 'shard-1'), what).toEqual(before)
      expect(await does.verify(), what).not.toEqual([])
      writeFileSync(file, content)
    }
    await reopenClean(does)
  })
})

describe('a directory that was left by a crash', () => {
  test('G2 with a write-ahead log whose beginning is overwritten is refused with its name, and has everything once that is back', async () => {
    const subject = startSubject()
    await beginLoad(subject)
    const crashed = await copyCrashed(subject)
    const wal = join(crashed.directory, 'shard-0.db-wal')
    const content = readFileSync(wal)
    writeFileSync(wal, 'not a log', { flag: 'r+' })
    await expect(openSystem({ directory: crashed.directory, actors: [ledger] })).rejects.toMatchObject({ code: DAMAGED, file: wal })
    writeFileSync(wal, content)
    await expectWhole(crashed)
    expect(errorsIn(crashed.directory)).toEqual([])
  })
})
