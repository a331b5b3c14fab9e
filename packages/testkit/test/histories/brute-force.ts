/**
 * A checker that tries every order of every choice, with a semantics of its own: only for histories of a few calls, and with nothing in
 * common with the real one.
 */
import { operationsOf } from '../../src/histories/history.ts'
import type { History, Operation } from '../../src/histories/history.ts'

/** What happens to a value: the next one, or nothing if the operation cannot be. */
export type Semantics = (value: unknown, operation: Operation) => { readonly value: unknown } | undefined

export const registerSemantics: Semantics = (value, { f, input, outcome, output }) => {
  if (f === 'write') return { value: input }
  if (f === 'read') return outcome === 'info' || output === value ? { value } : undefined
  const [from, to] = input as readonly unknown[]
  return from === value ? { value: to } : undefined
}

export const keyValueSemantics: Semantics = (value, { f, input, outcome, output }) => {
  if (f === 'put') return { value: input }
  if (f === 'append') return { value: String(value) + String(input) }
  return outcome === 'info' || output === value ? { value } : undefined
}

/** Whether any order is right. Keys are tried each on its own. */
export function isLinearizable(history: History, initial: unknown, semantics: Semantics): boolean {
  const keys = new Set(operationsOf(history).map(({ key }) => key))
  return [...keys].every((key) =>
    canGoOn(operationsOf(history).filter((operation) => operation.key === key && operation.outcome !== 'fail')),
  )

  function canGoOn(left: readonly Operation[], value: unknown = initial): boolean {
    if (left.every(({ outcome }) => outcome === 'info')) return true
    return left.some((next) => {
      // Nothing that is left has ended before this one began.
      if (left.some((other) => other.endedAt < next.invokedAt)) return false
      const after = semantics(value, next)
      return (
        after !== undefined &&
        canGoOn(
          left.filter((other) => other !== next),
          after.value,
        )
      )
    })
  }
}
