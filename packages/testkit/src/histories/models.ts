/** The models of the usual histories: a register, a register with compare-and-set, texts under keys. */
import { InvalidHistory } from './history.ts'
import type { Operation } from './history.ts'
import type { Model } from './model.ts'
import { fingerprintOf, sameValue, textHash } from './values.ts'

/**
 * One value, with `read` (its output is the value) and `write` (its input is the value). Nothing is `null`, also where a history
 * says `undefined`.
 *
 * @param initial The value before the first write; `null` by default.
 */
export function register(initial: unknown = null): Model<unknown> {
  return {
    ...registerBasics,
    name: 'register',
    initial: initial ?? null,
    step: (value, operation) => readOrWrite('register', value, operation),
    foresight: { replaces: ({ f }) => f === 'write', leadsTo: (value, read) => sameValue(value, read.output ?? null) },
  }
}

/**
 * A register with `cas`, whose input is `[from, to]`. A `cas` that ended `ok` has found `from` and left `to`; one that found something
 * else ended with `fail` and did nothing.
 *
 * @param initial The value before the first write; `null` by default.
 */
export function casRegister(initial: unknown = null): Model<unknown> {
  const name = 'register with compare-and-set'
  return {
    ...registerBasics,
    name,
    initial: initial ?? null,
    step: (value, operation) => {
      if (operation.f !== 'cas') return readOrWrite(name, value, operation)
      const input: unknown = operation.input
      if (!Array.isArray(input) || input.length !== 2) throw new InvalidHistory(operation.invokedAt, 'the input of a cas is not [from, to]')
      const [from, to] = input as readonly unknown[]
      return sameValue(value, from ?? null) ? (to ?? null) : undefined
    },
  }
}

/**
 * Texts under keys, each on its own: `get` (its output is the text, empty where nothing was put), `put` and `append` (their input is a
 * text).
 */
export function keyValueAppend(): Model<string> {
  const name = 'key-value with append'
  return {
    name,
    initial: '',
    hash: textHash,
    equal: (left, right) => left === right,
    describe: (text) => JSON.stringify(text),
    isRead: ({ f }) => f === 'get',
    step: (text, operation) => {
      switch (operation.f) {
        case 'get':
          return operation.outcome !== 'ok' || (operation.output ?? '') === text ? text : undefined
        case 'put':
          return textOf(operation)
        case 'append':
          return text + textOf(operation)
        default:
          return unknownOperation(name, operation)
      }
    },
    foresight: {
      replaces: ({ f }) => f === 'put',
      // What is there only grows, until the next put.
      leadsTo: (text, { output }) => (typeof output === 'string' ? output : '').startsWith(text),
    },
  }
}

const registerBasics: Pick<Model<unknown>, 'hash' | 'equal' | 'isRead'> = {
  hash: fingerprintOf,
  equal: sameValue,
  isRead: ({ f }) => f === 'read',
}

function readOrWrite(model: string, value: unknown, operation: Operation): unknown {
  const { f, input, outcome, output } = operation
  if (f === 'write') return input ?? null
  if (f !== 'read') return unknownOperation(model, operation)
  return outcome !== 'ok' || sameValue(value, output ?? null) ? value : undefined
}

function textOf({ f, input, invokedAt }: Operation): string {
  if (typeof input !== 'string') throw new InvalidHistory(invokedAt, `the input of ${f} is not a text`)
  return input
}

function unknownOperation(model: string, { f, invokedAt }: Operation): never {
  throw new InvalidHistory(invokedAt, `${f} is no operation of the model "${model}"`)
}
