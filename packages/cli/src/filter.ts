/** From options to the filter of a reader. */
import type { RowFilter } from '@bailiwick/store'
import { readKey } from './address.ts'
import type { CommandName, Options } from './command.ts'

/** What --type, --key and --limit say: one row more than wanted, which shows whether there are more. Throws `UsageError`. */
export function filterOf(command: CommandName, { type, key, limit }: Options): RowFilter {
  return { ...(type === undefined ? {} : { type }), ...(key === undefined ? {} : { key: readKey(key, command) }), limit: limit + 1 }
}
