/** Secrets of processes: where they go, and where they never show. */
import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { Redactor, secretTexts } from '../../src/processes/secrets.ts'
import { contentOf, filesBelow, nextLine, node, shell, world } from './support.ts'

const SECRET = 'hunter2-"geheim"-ß-token'
/** Prints everything that a process can know about itself. */
const DUMP = `
  const fs = require('node:fs')
  const self = process.platform === 'linux' ? fs.readFileSync('/proc/self/environ', 'utf8') + fs.readFileSync('/proc/self/cmdline', 'utf8') : ''
  const input = fs.readFileSync(0, 'utf8')
  const outside = JSON.stringify(process.env) + process.argv.join(' ') + self
  console.log('outside holds it: ' + outside.includes(JSON.parse(input).token))
  console.log('stdin holds it: ' + (JSON.parse(input).token.length))
  console.log(input)
  console.log(JSON.parse(input).token)
  console.error(outside + input + JSON.parse(input).nested.deep[0])
`

async function told(work: Promise<unknown>): Promise<{ code?: string; field?: string; text: string }> {
  try {
    await work
  } catch (error) {
    const { code, field } = error as { code?: string; field?: string } // Errors of the project have both, or neither.
    return { ...(code !== undefined && { code }), ...(field !== undefined && { field }), text: `${String(error)}${JSON.stringify(error)}` }
  }
  throw new Error('It was not refused.')
}

describe('a secret', () => {
  test('A19 reaches a process on its standard input alone, and shows in no log, row or result', async () => {
    const { scope, journal, logs, reports } = withScope()
    const result = await scope.run(node(DUMP, { input: { plain: 1 }, secrets: { token: SECRET, nested: { deep: ['deeply-hidden'] } } }))
    expect(result).toMatchObject({ reason: 'exited', exitCode: 0 })
    expect(result.stdout.text).toContain('outside holds it: false')
    expect(result.stdout.text).toContain(`stdin holds it: ${SECRET.length}`)
    expect(result.stdout.text).toContain('"plain":1,"token":"[secret]","nested":{"deep":["[secret]"]}')
    const kept = filesBelow(logs).map((path) => contentOf(path).toString('utf8'))
    expect(kept.join('')).toContain('[secret]')
    for (const text of [JSON.stringify(result), ...journal.written, ...kept, JSON.stringify(reports)]) {
      expect(text).not.toContain('hunter2')
      expect(text).not.toContain('geheim')
      expect(text).not.toContain('deeply-hidden')
    }
    // The counts are those of what was really printed.
    expect(result.stdout).toMatchObject({ droppedBytes: 0, isTruncated: false })
    expect(result.stdout.bytes).toBeGreaterThan(Buffer.byteLength(result.stdout.text))
  })

  test.each([
    ['command', { command: `/bin/${SECRET}` }],
    ['args.1', { command: 'true', args: ['-x', `--token=${SECRET}`] }],
    ['cwd', { command: 'true', cwd: `/tmp/${SECRET}` }],
    ['env.TOKEN', { command: 'true', env: { TOKEN: SECRET } }],
    ['env', { command: 'true', env: { [SECRET]: '1' } }],
  ])('A19 that stands in %s is refused with the field and without the secret', async (field, spec) => {
    const { scope, journal } = withScope()
    const error = await told(scope.run({ ...spec, secrets: { a: { b: [SECRET] } } }))
    expect(error).toMatchObject({ code: 'INVALID_INPUT', field })
    expect(error.text).not.toContain('hunter2')
    expect(journal.written).toEqual([])
  })

  test('A19 with the name of a parameter is refused', async () => {
    const { scope } = withScope()
    const error = await told(scope.run(shell('true', { input: { token: 1 }, secrets: { token: SECRET } })))
    expect(error).toMatchObject({ code: 'INVALID_INPUT', field: 'secrets.token' })
    expect(error.text).not.toContain('hunter2')
  })

  test('A19 of a process that cannot be started shows in no error', async () => {
    const { scope, journal } = withScope()
    const result = await scope.run({ command: '/nowhere/at/all', secrets: { token: SECRET } })
    expect(result).toMatchObject({ reason: 'not-started', pid: null })
    const error = await told(scope.spawn({ command: '/nowhere/at/all', secrets: { token: SECRET } }))
    expect(error.code).toBe('PROCESS_LOST')
    expect(JSON.stringify(result) + error.text + journal.written.join('')).not.toContain('hunter2')
    expect(journal.rows.size).toBe(0)
  })

  test('A20 of one execution does not reach the next', async () => {
    const { scope } = withScope()
    const code = `
      const fs = require('node:fs')
      const input = fs.readFileSync(0, 'utf8')
      const all = JSON.stringify(process.env) + process.argv.join(' ') + input
      console.log(['first', 'second'].filter((name) => all.includes([name, 'value'].join('-'))).join())
      console.log(input.trim())
    `
    const first = await scope.run(node(code, { secrets: { one: 'first-value' } }))
    const second = await scope.run(node(code, { secrets: { two: 'second-value' } }))
    expect(first.stdout.text).toBe('first\n{"one":"[secret]"}\n')
    expect(second.stdout.text).toBe('second\n{"two":"[secret]"}\n')
    // What was a secret of the first is none of the second.
    const third = await scope.run(shell('echo first-value second-value', { secrets: {} }))
    expect(third.stdout.text).toBe('first-value second-value\n')
  })

  test('is blotted out of lines too', async () => {
    const { scope } = withScope()
    const spawned = await scope.spawn(shell('read line; echo "$line"', { secrets: { token: 'abcd-efgh' } }))
    expect(await nextLine(spawned.lines())).toBe('{"token":"[secret]"}')
    await spawned.exited
  })
})

function withScope() {
  const made = world()
  return { ...made, scope: made.scope().scope }
}

function redact(secrets: readonly string[], chunks: readonly Uint8Array[]): { text: string; printed: number } {
  const redactor = new Redactor(secrets)
  const pieces = [...chunks.flatMap((chunk) => redactor.push(chunk)), ...redactor.end()]
  return {
    text: Buffer.concat(pieces.map(({ bytes }) => bytes)).toString('utf8'),
    printed: pieces.reduce((sum, { printed }) => sum + printed, 0),
  }
}

function cut(bytes: Buffer, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((left, right) => left - right), bytes.length]
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end))
}

describe('blotting', () => {
  test.each([
    [['abcd'], 'xabcdx', 'x[secret]x'],
    [['abcd', 'abcdef'], 'abcdef abcd', '[secret] [secret]'],
    [['abcd', 'cdef'], 'abcdef', '[secret]'],
    [['xabcdz', 'abcd'], 'xabcd', 'x[secret]'],
    [['aaaa'], 'aaaaaaaaab', '[secret]b'],
    [['abab'], 'ababab abab', '[secret] [secret]'],
    [['a"b\nc'], 'a"b\nc a\\"b\\nc', '[secret] [secret]'],
    [['grüße'], 'gr\\u00fc\\u00dfe grüße', '[secret] [secret]'],
    [['abcd'], 'abc', 'abc'],
  ])('%j in %j, wherever it is cut', (secrets, text, expected) => {
    const bytes = Buffer.from(text)
    for (let place = 0; place <= bytes.length; place += 1) {
      expect(redact(secrets, cut(bytes, [place]))).toEqual({ text: expected, printed: bytes.length })
    }
    expect(redact(secrets, cut(bytes, [...bytes.keys()]))).toEqual({ text: expected, printed: bytes.length })
  })

  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'ä', '"'), minLength: 4, maxLength: 7 })
  property.prop([
    fc.array(word, { minLength: 1, maxLength: 3 }),
    fc.array(fc.oneof(word, fc.string({ unit: fc.constantFrom('a', 'b', 'ä', '"', '\n') }))),
    fc.array(fc.nat()),
  ])('does not depend on where chunks end, lets no secret through, and counts exactly', (secrets, parts, places) => {
    const bytes = Buffer.from(parts.join(''))
    const whole = redact(secrets, [bytes])
    expect(redact(secrets, cut(bytes, places))).toEqual(whole)
    expect(whole.printed).toBe(bytes.length)
    for (const secret of secrets) expect(whole.text.split('[secret]').some((part) => part.includes(secret))).toBe(false)
  })

  test('holds back no more than the beginning of a secret', () => {
    const redactor = new Redactor(['password'])
    expect(redactor.push(Buffer.from('abcpass')).map(({ printed }) => printed)).toEqual([3])
    expect(Buffer.concat(redactor.push(Buffer.from('ion')).map(({ bytes }) => bytes)).toString()).toBe('passion')
  })

  test('is about texts of four characters or more, wherever they are', () => {
    expect(secretTexts({ a: 'abc', b: { c: ['abcd', 17_000] }, d: null })).toEqual(['abcd'])
  })
})
