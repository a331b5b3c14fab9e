/** What the value means that a turn's `run` returned. */
import { checkValue } from '../definition/input.ts'
import { CommandFailed, messageOf, TurnEmpty } from '../errors.ts'
import type { Cell } from './cell.ts'

/** How a turn that was not interrupted has ended. */
export type TurnEnd = { readonly outcome: 'ok'; readonly value: unknown } | { readonly outcome: 'empty' | 'failed'; readonly error: Error }

/** Checks a result. An empty one is no result: nothing says that the work is done. */
export function checkResult(cell: Cell, command: string, value: unknown): TurnEnd {
  if (value === undefined || value === null || value === '') {
    return { outcome: 'empty', error: new TurnEmpty(cell.address, command) }
  }
  const { type, commands } = cell.kind.definition
  try {
    return { outcome: 'ok', value: checkValue(`result of ${type}.${command}`, commands.get(command)?.output, value) }
  } catch (error) {
    return { outcome: 'failed', error: new CommandFailed(cell.address, command, messageOf(error), { cause: error }) }
  }
}
