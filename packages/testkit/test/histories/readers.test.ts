/** Histories out of files: Jepsen's EDN, Jepsen's logs, key-value logs. */
import { describe, expect, test } from 'vitest'
import { EdnReader } from '../../src/histories/edn.ts'
import { InvalidHistory, operationsOf } from '../../src/histories/history.ts'
import { checkLinearizable } from '../../src/histories/linearizability.ts'
import { casRegister, keyValueAppend } from '../../src/histories/models.ts'
import { readEdnHistory } from '../../src/histories/read-edn.ts'
import { readJepsenLog } from '../../src/histories/read-jepsen-log.ts'
import { readKeyValueLog } from '../../src/histories/read-key-value-log.ts'

/** The line of which a reader complains. */
function lineOf(read: () => unknown): number | undefined {
  try {
    read()
  } catch (error) {
    if (error instanceof InvalidHistory) return error.at
    throw error
  }
  return undefined
}

describe('EDN', () => {
  test.each<[string, unknown]>([
    ['nil', null],
    ['true', true],
    ['-12', -12],
    ['+3', 3],
    ['7N', 7],
    ['9007199254740993', 9_007_199_254_740_993n],
    ['1.5', 1.5],
    ['-2e3', -2000],
    ['3.25M', 3.25],
    ['##Inf', Infinity],
    [String.raw`"a \"b\" \\ \n \t A"`, 'a "b" \\ \n \t A'],
    ['"over\ntwo lines; no comment, #_here"', 'over\ntwo lines; no comment, #_here'],
    [String.raw`[\a \newline \u0042 \( \space]`, ['a', '\n', 'B', '(', ' ']],
    [':timed-out', 'timed-out'],
    [':jepsen.core/ok?', 'jepsen.core/ok?'],
    ['some.symbol/name', 'some.symbol/name'],
    ['(1, 2,,3)', [1, 2, 3]],
    ['#{3 :a "b"}', new Set([3, 'a', 'b'])],
    ['{:a 1, "b" [2 {:c nil}], 3 x}', { a: 1, b: [2, { c: null }], '3': 'x' }],
    ['#inst "2024-02-29T10:00:00.000-00:00"', '2024-02-29T10:00:00.000-00:00'],
    ['#jepsen.history.Op{:index 3, :f :read}', { index: 3, f: 'read' }],
    ['[1 #_2 #_[3 #_4] 5 ; six ]\n 7]', [1, 5, 7]],
    ['^{:line 3} [1]', [1]],
  ])('reads %s', (text, value) => {
    const reader = new EdnReader(text)
    expect(reader.read()).toEqual(value)
    expect(reader.isAtEnd()).toBe(true)
  })

  test.each(['[1 2', '{:a}', '"open', ']', ':', '1x', String.raw`"\q"`, '', '#', '['.repeat(10_000)])('refuses %.20j', (text) => {
    expect(() => new EdnReader(text).read()).toThrow(InvalidHistory)
  })
})

describe("Jepsen's EDN", () => {
  const vector = `; written by hand
[{:process 0, :type :invoke, :f :write, :value 3, :time 3291485, :index 0}
 {:process 1, :type :invoke, :f :cas, :value [3 4], :time 4000000, :index 1}
 {:process :nemesis, :type :info, :f :start-partition, :value {"n1" #{"n2" "n3"}}, :time 4100000, :index 2}
 #jepsen.history.Op{:index 3, :time 5000000, :type :ok, :process 0, :f :write, :value 3}
 {:process 1, :type :info, :f :cas, :value [3 4], :error [:timeout "no answer"], :time 5000000000, :index 4}
 #_{:process 9, :type :ok}
 {:process 6, :type :invoke, :f :read, :value nil, :time 5000000001, :index 5}
 {:process 6, :type :ok, :f :read, :value 4, :time 5000000002, :index 6}]`

  test('is read as a vector, without the nemesis, in milliseconds, with positions from 0', () => {
    const history = readEdnHistory(vector)
    expect(history.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5])
    expect(history[0]).toEqual({ index: 0, process: 0, type: 'invoke', f: 'write', value: 3, time: 3.291485 })
    expect(operationsOf(history)).toMatchObject([
      { f: 'write', outcome: 'ok', input: 3, startTime: 3.291485, endTime: 5 },
      { f: 'cas', outcome: 'info', input: [3, 4], output: ['timeout', 'no answer'], endTime: Infinity },
      { f: 'read', process: 6, outcome: 'ok', input: null, output: 4 },
    ])
    expect(checkLinearizable(history, casRegister())).toEqual({ verdict: 'yes' })
    expect(checkLinearizable(readEdnHistory(vector.replace(':read, :value 4', ':read, :value 5')), casRegister())).toMatchObject({
      verdict: 'no',
    })
  })

  test('is read as one map after the other, or as a list, the same', () => {
    const lines = vector.replace('[{', '{').replace(/\]$/, '')
    expect(readEdnHistory(lines)).toEqual(readEdnHistory(vector))
    expect(readEdnHistory(`(${lines}\n)`)).toEqual(readEdnHistory(vector))
    expect(readEdnHistory('')).toEqual([])
    expect(readEdnHistory('[]')).toEqual([])
  })

  test('may have pairs of key and value, of which the key becomes that of the operation', () => {
    const history = readEdnHistory(
      `{:process 0, :type :invoke, :f :cas, :value [7 [1 2]]}
       {:process 1, :type :invoke, :f :read, :value ["x" nil]}
       {:process 0, :type :fail, :f :cas, :value [7 [1 2]], :error :not-found}
       {:process 1, :type :ok, :f :read, :value ["x" 5]}
       {:process 0, :type :invoke, :f :read, :value [7 nil]}
       {:process 0, :type :ok, :f :read, :value [7 nil]}`,
      { independent: true },
    )
    expect(operationsOf(history)).toMatchObject([
      { key: '7', f: 'cas', input: [1, 2], outcome: 'fail', output: 'not-found' },
      { key: 'x', f: 'read', input: null, output: 5 },
      { key: '7', f: 'read', output: null },
    ])
    expect(history.map(({ key }) => key)).toEqual(['7', 'x', '7', 'x', '7', '7'])
    expect(checkLinearizable(history, casRegister())).toMatchObject({ verdict: 'no', partition: 'x' })
  })

  test.each<[string, string, number]>([
    ['an end without a beginning', `{:process 0, :type :invoke, :f :read}\n\n{:process 1, :type :ok, :f :read, :value 1}`, 3],
    ['two calls of a process at a time', `[{:process 0, :type :invoke, :f :read}\n{:process 0, :type :invoke, :f :read}]`, 2],
    ['an end of another function', `{:process 0, :type :invoke, :f :read}\n{:process 0, :type :ok, :f :write}`, 2],
    ['a type that is none', `\n\n{:process 0, :type :maybe, :f :read}`, 3],
    ['a process that is none', `{:process "zero", :type :ok, :f :read}`, 1],
    ['no function', `{:process 0, :type :invoke}`, 1],
    ['what is no map', `[[:process 0]]`, 1],
    ['a vector that does not end', `[{:process 0, :type :invoke, :f :read}\n`, 2],
    ['a string that does not end', `{:process 0,\n:type :invoke, :f "read}\n\n`, 2],
  ])('is refused with the line: %s', (_, text, line) => {
    expect(lineOf(() => readEdnHistory(text))).toBe(line)
  })
})

describe("Jepsen's log", () => {
  const log = [
    'INFO  jepsen.os.debian - :n5 setting up debian',
    'INFO  jepsen.core - Worker 0 starting',
    'INFO  jepsen.util - 0\t:invoke\t:write\t1',
    'INFO  jepsen.util - 4\t:invoke\t:cas\t[1 2]',
    'INFO  jepsen.util - 0\t:ok\t:write\t1',
    'INFO  jepsen.util - :nemesis\t:info\t:start\tnil',
    'WARN  jepsen.core - Process 4 indeterminate',
    'java.net.SocketTimeoutException: Read timed out',
    '\tat java.base/java.net.SocketInputStream.read(SocketInputStream.java:171)',
    'INFO  jepsen.util - 4\t:info\t:cas\t:timed-out',
    '2015-03-12 10:11:12,345 [jepsen worker 2] INFO  jepsen.util - 2\t:invoke\t:read\tnil',
    'INFO  jepsen.util - 2\t:fail\t:read\t:timed-out',
    '2024-03-01 10:11:12,345{GMT}\tINFO\t[jepsen worker 3] jepsen.util: 3\t:invoke\t:read\tnil',
    '2024-03-01 10:11:12,347{GMT}\tINFO\t[jepsen worker 3] jepsen.util: 3\t:ok\t:read\t2',
    'INFO  jepsen.util - 9\t:invoke\t:write\t3',
    'INFO  jepsen.util - 9\t:info\t:write\t3\t#object[Thing 0x1 "a \\x thing"]',
    'INFO  jepsen.core - Everything looks good! - 3 of 3',
    '',
  ]

  test.each(['\n', '\r\n'])('is read line by line, whatever else stands in it (%j)', (newline) => {
    const history = readJepsenLog(log.join(newline))
    expect(operationsOf(history)).toMatchObject([
      { process: 0, f: 'write', input: 1, outcome: 'ok', output: 1 },
      { process: 4, f: 'cas', input: [1, 2], outcome: 'info', output: 'timed-out' },
      { process: 2, f: 'read', input: null, outcome: 'fail', output: 'timed-out' },
      { process: 3, f: 'read', input: null, outcome: 'ok', output: 2 },
      { process: 9, f: 'write', input: 3, outcome: 'info' },
    ])
    expect(checkLinearizable(history, casRegister())).toEqual({ verdict: 'yes' })
  })

  test('tells a value that was read from none', () => {
    const read = (value: string): string =>
      checkLinearizable(
        readJepsenLog(`INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:ok\t:read\t${value}`),
        casRegister(),
      ).verdict
    expect(read('nil')).toBe('yes')
    expect(read('0')).toBe('no')
  })

  test('is refused with the line of an end without a beginning, a second call, or a value that cannot be read', () => {
    expect(lineOf(() => readJepsenLog(log.slice(3, 5).join('\n')))).toBe(2)
    expect(lineOf(() => readJepsenLog([...log.slice(0, 3), log[2]].join('\n')))).toBe(4)
    expect(lineOf(() => readJepsenLog(`noise\nINFO  jepsen.util - 0\t:invoke\t:write\t[1 2`))).toBe(2)
  })
})

describe('a key-value log', () => {
  const log = `{:process 0, :type :invoke, :f :append, :key "8", :value "x 0 0 y"}
{:process 1, :type :invoke, :f :get, :key "8", :value nil}
{:process 2, :type :invoke, :f :put, :key "3", :value "x 2 0 y"}
{:process 0, :type :ok, :f :append, :key "8", :value "x 0 0 y"}
{:process 1, :type :ok, :f :get, :key "8", :value "x 0 0 y"}
{:process 1, :type :invoke, :f :append, :key "8", :value "x 1 1 y"}
{:process 0, :type :invoke, :f :get, :key "8", :value nil}
{:process 0, :type :ok, :f :get, :key "8", :value "x 0 0 yx 1 1 y"}
`

  test('is read line by line; calls without an end have an unknown one', () => {
    const history = readKeyValueLog(log)
    expect(history).toHaveLength(8)
    expect(history[7]).toEqual({ index: 7, time: 0, process: 0, type: 'ok', f: 'get', key: '8', value: 'x 0 0 yx 1 1 y' })
    expect(operationsOf(history).filter(({ outcome }) => outcome === 'info')).toMatchObject([
      { process: 2, f: 'put', key: '3' },
      { process: 1, f: 'append', key: '8', input: 'x 1 1 y' },
    ])
    expect(checkLinearizable(history, keyValueAppend())).toEqual({ verdict: 'yes' })
    const lost = readKeyValueLog(log.replace('yx 1 1 y"}\n', 'yx 9 9 y"}\n'))
    expect(checkLinearizable(lost, keyValueAppend())).toMatchObject({ verdict: 'no', partition: '8', blocking: { f: 'get' } })
  })

  test('is refused with the line of what is no event', () => {
    expect(lineOf(() => readKeyValueLog(`${log}{:process 5, :type :ok, :f :get, :key "8", :value ""}`))).toBe(9)
    expect(lineOf(() => readKeyValueLog(`${log}\n{:process 5, :type :invoke, :f :get, :value nil}`))).toBe(10)
    expect(lineOf(() => readKeyValueLog(`${log}get 8`))).toBe(9)
    expect(lineOf(() => readKeyValueLog('{:process 5, :type :invoke, :f :get, :key "8"} {}'))).toBe(1)
    expect(lineOf(() => readKeyValueLog('{:process 5,\n:type :invoke, :f :get, :key "8"}'))).toBe(1)
  })
})
