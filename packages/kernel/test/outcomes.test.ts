/** The reference page of outcomes says what the code says, and every error survives the way between two threads. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import * as kernel from '../src/index.ts'
import {
  ActivationFailed,
  ActorQuarantined,
  ActorStopped,
  AskAborted,
  AskCycle,
  AskTimeout,
  CommandFailed,
  CommandInProgress,
  CommandRejected,
  decodeError,
  DefinitionNotLoaded,
  EffectTimeout,
  encodeError,
  errorClasses,
  IdempotencyConflict,
  InvalidDefinition,
  InvalidInput,
  MailboxFull,
  NoMigration,
  NotSerializable,
  ProcessLost,
  ReplyOverdue,
  ShardCrashed,
  SlowConsumer,
  StaleEpoch,
  SystemClosed,
  TurnEmpty,
  TurnTimeout,
  UnknownCommand,
} from '../src/errors.ts'
import type { EncodedError } from '../src/errors.ts'
import { outcomeByCode, outcomeOf, OUTCOMES } from '../src/outcomes.ts'

/** One error of each class, with fields that are not the defaults of their types. */
const samples: readonly kernel.BailiwickError[] = [
  new ActivationFailed('account/a', 'its input threw'),
  new ActorQuarantined('account/a', 'the guard threw'),
  new ActorStopped('account/a', 'the guard threw'),
  new AskAborted('account/a', 'deposit', true),
  new AskCycle(['account/a', 'ledger/b', 'account/a']),
  new AskTimeout('account/a', 'deposit', 250),
  new kernel.BatchInvalid('it creates actor 7 twice'),
  new CommandFailed('account/a', 'deposit', 'the guard threw'),
  new CommandInProgress('account/a', 'deposit', 'k1'),
  new CommandRejected('account/a', 'deposit', '"frozen"'),
  new DefinitionNotLoaded('account', 'file:///account.actor.ts', 'it exports nothing'),
  new kernel.DirectoryInUse('/data', { pid: 42, since: '2030-01-01T00:00:00.000Z', epoch: 3 }),
  new kernel.DirectoryMissing('/data', 'it does not exist'),
  new kernel.DirectoryNotEmpty('/data', 'a.txt'),
  new kernel.DirectoryNotOurs('/data', 'letter.txt'),
  new kernel.DirectoryNotWritable('/data', 'EACCES'),
  new EffectTimeout('mail', 250),
  new kernel.Fenced(3, 4),
  new IdempotencyConflict('account/a', 'deposit', 'k1'),
  new InvalidDefinition('account', 'mailbox.capacity', 'must be a whole number'),
  new InvalidInput('account.deposit', 'amount', 'must be positive', ['amount: must be positive', 'note: is too long']),
  new MailboxFull('account/a', 'shard', 10),
  new NotSerializable('account/a', 'context.seen', 'is a Map'),
  new NoMigration('account/a', 1, 3),
  new ProcessLost('provider', 'it exited with code 7'),
  new ReplyOverdue('account/a', 'deposit', 3_600_000),
  new kernel.SchemaTooNew('/data/shard-0.db', 9, 1),
  new ShardCrashed('it exited with code 7'),
  new StaleEpoch('checkpoint of repository/17', 3, 4),
  new TurnEmpty('repository/17', 'prompt'),
  new TurnTimeout('repository/17', 'prompt', 250),
  new SlowConsumer('account/a', 1_000),
  new kernel.StoreDamaged('/data/shard-0.db', 'it is empty'),
  new kernel.StoreUnavailable('read-only', 'the disk went away'),
  new SystemClosed(true),
  new UnknownCommand('account/a', 'withdraw'),
]

/** Further errors of classes whose `retryable`, or whose fields, have more than one form. */
const variants: readonly kernel.BailiwickError[] = [
  new CommandFailed('account/a', 'deposit', 'no money', { retryable: true }),
  new kernel.Fenced(3, null),
  new ShardCrashed('it exited with code 7', true),
  new MailboxFull('account/a', 'outbox', 10),
  new kernel.StoreUnavailable('io', 'the disk went away'),
]

const codes = Object.keys(errorClasses).sort()

const page = readFileSync(join(import.meta.dirname, '../../../docs/outcomes.md'), 'utf8')

/** One part of the page, section by section: a heading and what stands under it. */
function readPart(title: string): ReadonlyMap<string, string> {
  const part = page.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? ''
  const sections = part.split(/^### /m).slice(1)
  const entries = sections.map((section) => [section.slice(0, section.indexOf('\n')).trim(), section] as const)
  const read = new Map(entries)
  if (read.size !== entries.length) throw new Error(`"${title}" has a heading twice.`)
  return read
}

/** What a section says after a label; `undefined` unless it says so exactly once. */
function lineOf(section: string | undefined, label: string): string | undefined {
  const found = [...(section ?? '').matchAll(new RegExp(`^- ${label}: (.+)$`, 'gm'))]
  return found.length === 1 ? found[0]?.[1] : undefined
}

/** Everything that stands between backticks. */
function quoted(text: string | undefined): readonly (string | undefined)[] {
  return [...(text ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1])
}

/** An error after its way through a message between threads. */
function sent(error: unknown): Error {
  return decodeError(JSON.parse(JSON.stringify(encodeError(error))) as EncodedError)
}

/** `MAILBOX_FULL` for `MailboxFull`. */
function codeOfClass(name: string): string {
  return name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()
}

describe('docs/outcomes.md', () => {
  const ways = readPart('How it can end')
  const errors = readPart('Error codes')

  test('has a section for every outcome and every code, and none that does not exist', () => {
    expect([...ways.keys()]).toEqual(OUTCOMES)
    expect([...errors.keys()]).toEqual(codes)
  })

  test('has no other sections', () => {
    expect([...page.matchAll(/^## (.*)$/gm)].map((match) => match[1])).toEqual(['How it can end', 'Error codes'])
    expect(page.match(/^### /gm)).toHaveLength(OUTCOMES.length + codes.length)
  })

  test.each(OUTCOMES)('%s is explained, and lists exactly its codes', (outcome) => {
    const section = ways.get(outcome)
    for (const label of ['When', 'What happened', 'Retry', 'Seen']) expect(lineOf(section, label), label).toBeTypeOf('string')
    const expected = codes.filter((code) => outcomeByCode[code] === outcome)
    expect(lineOf(section, 'Codes')).toBe(expected.length === 0 ? 'none' : expected.map((code) => `\`${code}\``).join(', '))
  })

  test.each(samples.map((error) => [error.code, error] as const))('%s names its class, its outcome and its fields', (code, error) => {
    const section = errors.get(code)
    expect(section).toContain(`Class \`${error.name}\``)
    for (const label of ['When', 'What happened']) expect(lineOf(section, label), label).toBeTypeOf('string')
    expect(lineOf(section, 'Outcome')).toBe(outcomeOf(error))
    expect(quoted(lineOf(section, 'Fields'))).toEqual(Object.keys(error.fields()))
  })

  test.each(samples.map((error) => [error.code, error] as const))('%s says whether to retry, and whether that depends', (code, error) => {
    const said = /^(yes|no)(, (?:unless|but not)\b)?/.exec(lineOf(errors.get(code), 'Retryable') ?? '')
    expect(said?.[1]).toBe(error.retryable ? 'yes' : 'no')
    const depends = variants.some((variant) => variant.code === code && variant.retryable !== error.retryable)
    expect(said?.[2] !== undefined, 'says "unless" or "but not"').toBe(depends)
  })

  test('mentions no code and links to no heading that does not exist', () => {
    const mentioned = quoted(page).filter((text) => text !== undefined && /^[A-Z][A-Z_]+$/.test(text))
    expect(mentioned.filter((code) => !codes.includes(code ?? ''))).toEqual([])
    const headings = new Set([...page.matchAll(/^##+ (.*)$/gm)].map((match) => match[1]?.toLowerCase().replaceAll(' ', '-')))
    const links = [...page.matchAll(/\]\(#([^)]*)\)/g)].map((match) => match[1])
    expect(links.filter((link) => !headings.has(link))).toEqual([])
  })
})

describe('an outcome', () => {
  test('is given to every code, and to nothing else', () => {
    expect(Object.keys(outcomeByCode).sort()).toEqual(codes)
    expect(OUTCOMES).toEqual(expect.arrayContaining(Object.values(outcomeByCode)))
  })

  test('of an error of somebody else, or of no error at all, is failed', () => {
    for (const error of [
      new TypeError('no function'),
      Object.assign(new Error('no such file'), { code: 'ENOENT' }),
      'text',
      null,
      undefined,
    ])
      expect(outcomeOf(error)).toBe('failed')
  })

  test('is known from the code alone, as it arrives from another thread', () => {
    for (const error of samples) expect(outcomeOf({ code: error.code })).toBe(outcomeOf(sent(error)))
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

  test.each([...samples, ...variants].map((error) => [error.code, error] as const))(
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
})
