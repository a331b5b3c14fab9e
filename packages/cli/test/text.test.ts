import { expect, test } from 'vitest'
import { ageOf, dueOf, lengthOf, sizeOf } from '../src/measure.ts'
import { nearest } from '../src/nearest.ts'
import { table } from '../src/table.ts'
import { cutTo, visible, widthOf } from '../src/text.ts'

test('lengths, ages and sizes are in words of one unit', () => {
  const lengths = [0, 450, 999, 1_000, 119_999, 120_000, 7_199_999, 7_200_000, 172_799_999, 172_800_000]
  expect(lengths.map(lengthOf)).toEqual(['0 ms', '450 ms', '999 ms', '1 s', '119 s', '2 min', '119 min', '2 h', '47 h', '2 d'])
  expect([ageOf(1_000, 4_500, false), ageOf(5_000, 4_000, false), ageOf(0, 1, true)]).toEqual(['3 s', '0 s', '1970-01-01T00:00:00.000Z'])
  expect([dueOf(9_000, 1_000, false), dueOf(1_000, 9_000, false), dueOf(9e15, 0, true)]).toEqual([
    'in 8 s',
    '8 s late',
    '9000000000000000 ms',
  ])
  expect([0, 512, 1_024, 1_536, 20 * 1_048_576, 5e15].map(sizeOf)).toEqual(['0 B', '512 B', '1.0 KiB', '1.5 KiB', '20 MiB', '4547 TiB'])
})

test('what cannot be seen is written out, and what can stays as it is', () => {
  expect(visible('plain ä 漢 🙂')).toBe('plain ä 漢 🙂')
  expect(visible('a\u001B[31mb\r\n\tc\u200Bd\u202Ee\uD800')).toBe(String.raw`a\u{1b}[31mb\r\n\tc\u{200b}d\u{202e}e\u{d800}`)
})

test('texts are cut at the width that a terminal gives them', () => {
  expect(['abc', '漢字', '🙂', 'e\u0301'].map(widthOf)).toEqual([3, 4, 2, 1])
  expect([cutTo('abcdef', 6), cutTo('abcdef', 4), cutTo('漢字漢字', 4), cutTo('ab', 0)]).toEqual(['abcdef', 'abc…', '漢…', ''])
})

test('a table gives up the ends of its longest elastic column first, and numbers stand at the right', () => {
  const rows = [
    { name: 'a'.repeat(30), note: 'short', count: 7 },
    { name: 'b', note: 'c'.repeat(20), count: 12_345 },
  ]
  const columns = [
    { header: 'NAME', cell: (row: (typeof rows)[number]) => row.name, isElastic: true },
    { header: 'NOTE', cell: (row: (typeof rows)[number]) => row.note, isElastic: true },
    { header: 'COUNT', cell: (row: (typeof rows)[number]) => row.count, align: 'right' },
  ] as const
  expect(table(rows, columns, undefined).split('\n')[1]).toBe(`${'a'.repeat(30)}  short                     7`)
  expect(table(rows, columns, 50)).toBe(
    `NAME${' '.repeat(17)}  NOTE${' '.repeat(16)}  COUNT\n${'a'.repeat(20)}…  short${' '.repeat(15)}      7\nb${' '.repeat(20)}  ${'c'.repeat(20)}  12345\n`,
  )
  for (const width of [45, 40, 33, 20, 5]) {
    for (const line of table(rows, columns, width).trimEnd().split('\n')) expect(widthOf(line)).toBeLessThanOrEqual(width)
  }
  expect(table([], columns, 80)).toBe('')
})

test('a misspelt word finds the one that was meant, and nothing that is far', () => {
  const words = ['doctor', 'ps', 'show', 'dead-letters', 'timers']
  expect(['doctr', 'sp', 'shwo', 'letters', 'time', 'dead', 'kubernetes', ''].map((word) => nearest(word, words))).toEqual([
    'doctor',
    'ps',
    'show',
    undefined,
    'timers',
    'dead-letters',
    undefined,
    undefined,
  ])
})
