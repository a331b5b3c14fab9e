/** Errors: the reference page and the code agree, and every error crosses a thread whole. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { decodeError, encodeError, errorClasses } from '../src/errors.ts'
import { CommandFailed, InvalidInput } from '../src/index.ts'

const PAGE = join(import.meta.dirname, '../../../docs/errors.md')

describe('errors', () => {
  test('the reference page has a section for every code, and no other', () => {
    const documented = [...readFileSync(PAGE, 'utf8').matchAll(/^## `?([A-Z_]+)`?$/gm)].map(([, code]) => code)
    expect(documented.toSorted()).toEqual(Object.keys(errorClasses).toSorted())
  })

  test.each(Object.keys(errorClasses))('%s keeps class, code, fields and message across a thread', (code) => {
    const fields = { actor: 'a/1', command: 'c', capacity: 3, scope: 'shard', field: 'f', operation: 'o', issues: ['f: bad'], timeoutMs: 5, sent: true, file: 'x', found: 2, supported: 1, wanted: 3, epoch: 4, current: 5, pid: 6, since: 's', directory: 'd', reason: 'r', fault: 'full', buffered: 7, key: 'k', state: 's', type: 't', module: 'm', definition: 'd', detail: 'e' }
    const error = errorClasses[code]?.(fields, 'message')
    const decoded = decodeError(JSON.parse(JSON.stringify(encodeError(error))) as ReturnType<typeof encodeError>)
    expect(decoded.constructor).toBe(error?.constructor)
    expect(decoded).toMatchObject({ code, name: error?.name, message: error?.message })
    expect(encodeError(decoded).fields).toEqual(error?.fields())
  })

  test('the cause crosses too, with the name of a class that only the other side knows', () => {
    class Odd extends Error {
      override name = 'Odd'
    }
    const error = new CommandFailed('a/1', 'c', 'r', { cause: new Odd('inner', { cause: new InvalidInput('o', 'f', 'd') }) })
    const { cause } = decodeError(encodeError(error))
    expect(cause).toMatchObject({ name: 'Odd', message: 'inner', cause: { code: 'INVALID_INPUT', field: 'f' } })
  })

  test('what is thrown without being an error keeps its text', () => {
    expect(decodeError(encodeError('plain')).message).toBe('plain')
  })
})
