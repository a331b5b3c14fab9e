/** The reference page of errors says what the classes say, and every error survives the way between two threads. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import * as kernel from '../src/index.ts'
import {
  ActivationFailed,
  AskAborted,
  AskTimeout,
  CommandFailed,
  CommandRejected,
  decodeError,
  DefinitionNotLoaded,
  encodeError,
  errorClasses,
  IdempotencyConflict,
  InvalidDefinition,
  InvalidInput,
  MailboxFull,
  NoMigration,
  NotSerializable,
  ShardCrashed,
  SlowConsumer,
  SystemClosed,
} from '../src/errors.ts'
import type { EncodedError } from '../src/errors.ts'

/** One error of each class, with fields that are not the defaults of their types. */
const samples: readonly kernel.BailiwickError[] = [
  new ActivationFailed('account/a', 'its input threw'),
  new AskAborted('account/a', 'deposit', true),
  new AskTimeout('account/a', 'deposit', 250),
  new kernel.BatchInvalid('it creates actor 7 twice'),
  new CommandFailed('account/a', 'deposit', 'the guard threw'),
  new CommandRejected('account/a', 'deposit', '"frozen"'),
  new DefinitionNotLoaded('account', 'file:///account.actor.ts', 'it exports nothing'),
  new kernel.DirectoryInUse('/data', { pid: 42, since: '2030-01-01T00:00:00.000Z', epoch: 3 }),
  new kernel.DirectoryMissing('/data', 'it does not exist'),
  new kernel.DirectoryNotOurs('/data', 'letter.txt'),
  new kernel.DirectoryNotWritable('/data', 'EACCES'),
  new kernel.Fenced(3, 4),
  new IdempotencyConflict('account/a', 'deposit', 'k1'),
  new InvalidDefinition('account', 'mailbox.capacity', 'must be a whole number'),
  new InvalidInput('account.deposit', 'amount', 'must be positive', ['amount: must be positive', 'note: is too long']),
  new MailboxFull('account/a', 'shard', 10),
  new NotSerializable('account/a', 'context.seen', 'is a Map'),
  new NoMigration('account/a', 1, 3),
  new kernel.SchemaTooNew('/data/shard-0.db', 9, 1),
  new ShardCrashed('it exited with code 7'),
  new SlowConsumer('account/a', 1_000),
  new kernel.StoreDamaged('/data/shard-0.db', 'it is empty'),
  new kernel.StoreUnavailable('read-only', 'the disk went away'),
  new SystemClosed(true),
]

const codes = Object.keys(errorClasses).sort()

/** The page, section by section: a code and what stands under it. */
function readPage(): ReadonlyMap<string, string> {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/errors.md'), 'utf8')
  const sections = page.split(/^## /m).slice(1)
  return new Map(sections.map((section) => [section.slice(0, section.indexOf('\n')).trim(), section]))
}

/** An error after its way through a message between threads. */
function sent(error: unknown): Error {
  return decodeError(JSON.parse(JSON.stringify(encodeError(error))) as EncodedError)
}

/** `MAILBOX_FULL` for `MailboxFull`. */
function codeOfClass(name: string): string {
  return name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()
}

describe('docs/errors.md', () => {
  test('has a section for every code, and none for a code that does not exist', () => {
    expect([...readPage().keys()].sort()).toEqual(codes)
  })

  test.each(samples.map((error) => [error.code, error] as const))('%s names its class, whether to retry, and its fields', (code, error) => {
    const section = readPage().get(code) ?? ''
    expect(section).toContain(`Class \`${error.name}\``)
    expect(/^- Retryable: (yes|no)\b/m.exec(section)?.[1]).toBe(error.retryable ? 'yes' : 'no')
    const fields = /^- Fields: (.*)$/m.exec(section)?.[1] ?? ''
    expect([...fields.matchAll(/`(\w+)`/g)].map((match) => match[1])).toEqual(Object.keys(error.fields()))
  })
})

describe('an error class', () => {
  test('is in the table of codes, and every code has one', () => {
    expect(samples.map(({ code }) => code).sort()).toEqual(codes)
  })

  test.each(samples.map((error) => [error.name, error] as const))(
    '%s has its name in capitals as its code, and is exported',
    (name, error) => {
      expect(error.code).toBe(codeOfClass(name))
      expect(kernel).toHaveProperty(name)
    },
  )

  test.each(samples.map((error) => [error.code, error] as const))(
    '%s crosses a thread with class, fields, message and stack',
    (_code, error) => {
      const arrived = sent(error)
      expect(arrived.constructor).toBe(error.constructor)
      expect({ ...arrived }).toEqual({ ...error })
      expect(arrived).toMatchObject({ message: error.message, stack: error.stack, name: error.name })
      expect((arrived as kernel.BailiwickError).fields()).toEqual(error.fields())
    },
  )
})

describe('encoding', () => {
  test('keeps the cause, and the cause of the cause', () => {
    const cause = new Error('the root', { cause: new MailboxFull('account/a', 'mailbox', 5) })
    const arrived = sent(new CommandFailed('account/a', 'deposit', 'it threw', { cause }))
    expect(arrived.cause).toMatchObject({ message: 'the root', cause: { code: 'MAILBOX_FULL', capacity: 5 } })
  })

  test('ends a chain of causes that refers to itself', () => {
    const error = new Error('round')
    error.cause = error
    expect(sent(error).message).toBe('round')
  })

  test('gives an error of somebody else its message, and its code as the name', () => {
    const error = Object.assign(new Error('no such file'), { code: 'ENOENT' })
    expect(sent(error)).toMatchObject({ name: 'ENOENT', message: 'no such file' })
    expect(sent(new TypeError('no function'))).toMatchObject({ name: 'TypeError', message: 'no function' })
    class Odd extends Error {
      override name = 'Odd'
    }
    expect(sent(new CommandFailed('account/a', 'deposit', 'r', { cause: new Odd('inner') })).cause).toMatchObject({
      name: 'Odd',
      message: 'inner',
    })
    expect(sent('thrown text').message).toBe('thrown text')
  })

  test('keeps an epoch that could not be read as null', () => {
    expect(sent(new kernel.Fenced(3, null))).toMatchObject({ epoch: 3, current: null })
  })
})
