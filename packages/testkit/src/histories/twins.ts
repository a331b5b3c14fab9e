/** Operations that are equal in all but their time: a search may exchange them. */
import type { Operation } from './history.ts'
import { fingerprintOf, sameValue } from './values.ts'

/** The same number for operations that are equal in all but their time; 0 for those without an equal. */
export function twinsOf(operations: readonly Operation[]): Int32Array {
  const groups = new Map<string, number[]>()
  for (const [position, { f, key, input, output }] of operations.entries()) {
    const text = fingerprintOf([f, key, input, output])
    const group = groups.get(text)
    if (group) group.push(position)
    else groups.set(text, [position])
  }
  const twins = new Int32Array(operations.length)
  let number = 0
  for (const group of groups.values()) {
    if (group.length === 1) continue
    number += 1
    const [first] = group
    for (const position of group) if (isTwin(operations[position], operations[first ?? position])) twins[position] = number
  }
  return twins
}

/** For each operation of unknown end the last one before it that is equal, or -1. */
export function earlierTwinsOf(operations: readonly Operation[]): Int32Array {
  const last = new Map<string, number>()
  return Int32Array.from(operations, ({ f, key, input }, position) => {
    const text = fingerprintOf([f, key, input])
    const earlier = last.get(text)
    last.set(text, position)
    return earlier !== undefined && isTwin({ ...operations[position], output: undefined }, { ...operations[earlier], output: undefined })
      ? earlier
      : -1
  })
}

function isTwin(one: Partial<Operation> | undefined, other: Partial<Operation> | undefined): boolean {
  return one?.f === other?.f && one?.key === other?.key && sameValue(one?.input, other?.input) && sameValue(one?.output, other?.output)
}
