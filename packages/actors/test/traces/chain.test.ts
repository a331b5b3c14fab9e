/** The arithmetic: what a verification of text finds, change by change. */
import { describe, expect, test } from 'vitest'
import { macOfHead } from '../../src/traces/chain.ts'
import type { TraceRecord } from '../../src/traces/chain.ts'
import { beginningLine, endLine, recordLine, verifyTraceLines } from '../../src/traces/export-lines.ts'
import { append, emptyChain, prune, PRUNED_SEGMENTS_MAX, reachOf } from '../../src/traces/head.ts'
import type { ChainState } from '../../src/traces/head.ts'

const secret = 'the secret of these tests'

/** A chain of so many records, in segments of four, with all its records. */
function chainOf(count: number, name = 'audit') {
  let state = emptyChain(name)
  const records: TraceRecord[] = []
  for (let number = 1; number <= count; number += 1) {
    const step = append(state, { text: JSON.stringify({ number, note: `n${number}` }), at: 1_000 + number }, secret, 4)
    records.push(step.full?.records?.at(-1) ?? step.state.open.at(-1)!)
    state = step.state
  }
  return { state, records }
}

function linesOf(state: ChainState, records: readonly TraceRecord[]): string[] {
  return [beginningLine(state), ...records.map(recordLine), endLine(state, state.mac)]
}

const { state, records } = chainOf(10)
const lines = linesOf(state, records)

describe('an exported chain', () => {
  test('verifies with the secret alone', async () => {
    const intact = { outcome: 'intact', from: 0, head: { seq: 10, hash: state.hash }, records: 10 }
    expect(await verifyTraceLines(lines, { secret, chain: 'audit' })).toEqual(intact)
    expect(await verifyTraceLines(linesOf(emptyChain('audit'), []), { secret })).toMatchObject({ outcome: 'intact', records: 0 })
  })

  test('W16: a change of any single byte is found, and in a record it is located at its number', async () => {
    const short = chainOf(5)
    const lines = linesOf(short.state, short.records)
    const text = lines.join('\n')
    const starts = lines.map((_line, index) => lines.slice(0, index).join('\n').length + (index === 0 ? 0 : 1))
    for (let index = 0; index < text.length; index += 1) {
      // One bit, so that a digit becomes another digit, a letter another letter.
      const flipped = `${text.slice(0, index)}${String.fromCharCode(text.charCodeAt(index) ^ 1)}${text.slice(index + 1)}`
      const verdict = await verifyTraceLines(flipped.split('\n'), { secret })
      const line = starts.findLastIndex((start) => start <= index)
      expect([index, verdict.outcome]).toEqual([index, 'broken'])
      const isInside = index < (starts[line] ?? 0) + (lines[line]?.length ?? 0)
      if (verdict.outcome === 'broken' && line > 0 && line < 6 && isInside) expect([index, verdict.seq]).toEqual([index, line])
    }
  })

  test.each<[string, () => string[], string, number]>([
    ['a record that was left out', () => lines.toSpliced(4, 1), 'missing', 4],
    ['two records that have changed places', () => lines.with(4, lines[5]!).with(5, lines[4]!), 'missing', 4],
    ['a record that comes twice', () => lines.toSpliced(5, 0, lines[4]!), 'out-of-order', 5],
    ['a chain that was cut at its end', () => lines.slice(0, 8), 'truncated', 8],
    [
      'an end that is that of a shorter chain, with the MAC of the longer one',
      () => [...lines.slice(0, 8), endLine(records[6]!, state.mac)],
      'truncated',
      8,
    ],
    ['an end before the last record', () => [...lines.slice(0, 8), lines[11]!], 'missing', 8],
    ['something behind the end', () => [...lines, lines[10]!], 'out-of-order', 11],
    ['a letter that is written another way', () => lines.with(3, lines[3]!.replace('note', String.raw`n\u006fte`)), 'unreadable', 3],
    ['a space that means nothing', () => lines.with(3, `${lines[3]} `), 'unreadable', 3],
    ['no first line', () => lines.slice(1), 'unreadable', 0],
    ['a record of another chain', () => lines.with(3, recordLine(chainOf(3, 'other').records[2]!)), 'edited', 3],
  ])('%s is found', async (_what, changed, fault, seq) => {
    expect(await verifyTraceLines(changed(), { secret })).toMatchObject({ outcome: 'broken', fault, seq })
  })

  test('a record that somebody else signs, with all that come after it, is found where it begins', async () => {
    let forged: ChainState = { ...chainOf(4).state, open: [] }
    const theirs: TraceRecord[] = []
    for (let number = 5; number <= 10; number += 1) {
      const step = append(forged, { text: '{"number":0}', at: 2_000 }, 'a secret of somebody else', 4)
      theirs.push(step.full?.records?.at(-1) ?? step.state.open.at(-1)!)
      forged = step.state
    }
    const forgery = linesOf({ ...forged, secretId: state.secretId }, [...records.slice(0, 4), ...theirs])
    expect(await verifyTraceLines(forgery, { secret })).toMatchObject({ outcome: 'broken', fault: 'edited', seq: 5 })
  })

  test('with another secret, or as another chain, it does not verify', async () => {
    const wrong = await verifyTraceLines(lines, { secret: 'another secret of the tests' })
    expect(wrong).toMatchObject({ outcome: 'broken', fault: 'wrong-secret' })
    expect(await verifyTraceLines(lines, { secret, chain: 'other' })).toMatchObject({ outcome: 'broken', seq: 0 })
  })

  test('a chain that was set back to an earlier state verifies, unless a later head is known', async () => {
    const earlier = chainOf(7)
    const text = linesOf(earlier.state, earlier.records)
    expect(await verifyTraceLines(text, { secret })).toMatchObject({ outcome: 'intact' })
    const atLeast = { seq: 9, hash: records[8]!.hash }
    expect(await verifyTraceLines(text, { secret, atLeast })).toMatchObject({ outcome: 'broken', fault: 'truncated', seq: 8 })
    expect(await verifyTraceLines(lines, { secret, atLeast })).toMatchObject({ outcome: 'intact' })
    const another = { seq: 9, hash: records[7]!.hash }
    expect(await verifyTraceLines(lines, { secret, atLeast: another })).toMatchObject({ outcome: 'broken', fault: 'edited', seq: 9 })
  })
})

describe('a prune', () => {
  test('keeps the hash of the last record that goes, and what is left verifies', async () => {
    const pruned = prune(state, { last: records[5]!, at: 5_000 }, secret)!
    expect(pruned.cut).toEqual([
      { segment: 0, through: 6 },
      { segment: 1, through: 6 },
    ])
    const left = await verifyTraceLines(linesOf(pruned.state, records.slice(6)), { secret })
    expect(left).toMatchObject({ outcome: 'intact', from: 6, records: 4 })
  })

  test('through the open records touches them in the state; through all leaves an end to go on from', async () => {
    const pruned = prune(state, { last: records[8]!, at: 5_000 }, secret)!
    expect(pruned.state.open.map(({ seq }) => seq)).toEqual([10])
    const all = prune(pruned.state, { last: records[9]!, at: 5_001 }, secret)!
    const { state: next } = append(all.state, { text: '1', at: 6_000 }, secret, 4)
    const left = await verifyTraceLines(linesOf(next, next.open), { secret })
    expect(left).toMatchObject({ outcome: 'intact', from: 10, records: 1, head: { seq: 11 } })
  })

  test('a checkpoint that no prune has made is found: a true record does not make one', async () => {
    const { seq, hash } = records[5]!
    const checkpoint = { seq, hash, at: 5_000, mac: macOfHead(secret, 'audit', { seq, hash }, 0) }
    const cut = linesOf({ ...state, checkpoint }, records.slice(6))
    expect(await verifyTraceLines(cut, { secret })).toMatchObject({ outcome: 'broken', fault: 'checkpoint', seq: 6 })
  })

  test('needs a true record as proof, takes no step back, and goes so many segments at a time', () => {
    expect(prune(state, { last: { ...records[5]!, text: '{}' }, at: 1 }, secret)).toBeUndefined()
    const pruned = prune(state, { last: records[5]!, at: 1 }, secret)!.state
    expect(prune(pruned, { last: records[4]!, at: 2 }, secret)).toBeUndefined()
    expect(reachOf({ checkpoint: null, segmentRecords: 4, seq: 10_000 }, 9_999)).toBe(PRUNED_SEGMENTS_MAX * 4)
    expect(reachOf(emptyChain('a'), 5)).toBe(0)
  })
})
