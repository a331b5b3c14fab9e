/** Every option, as help describes it. */
import type { OptionName } from './command.ts'

/** An option: what its value is, if it has one, and what it does. */
export interface OptionSpec {
  /** What stands after it, in words; `undefined` if nothing does. */
  readonly value?: string
  /** How help writes the value. */
  readonly placeholder?: string
  readonly summary: string
}

/** The options of all commands. */
export const OPTIONS: Readonly<Record<OptionName, OptionSpec>> = {
  repair: { summary: 'mend what can be mended without losing anything; nobody may own the directory' },
  quick: { summary: 'look at pages less closely and parse no texts' },
  type: { value: 'a type of actor', placeholder: 'TYPE', summary: 'only actors of this type' },
  key: { value: 'a key', placeholder: 'KEY', summary: 'only actors with this key; a compound key is a JSON array' },
  kind: { value: 'effect or message', placeholder: 'KIND', summary: 'only effects, or only messages for other shards' },
  limit: { value: 'a number', placeholder: 'N', summary: 'at most so many rows (default 100)' },
  full: { summary: 'nothing cut off, ISO times, and what may be secret: inputs, events, errors' },
  json: { summary: 'print one JSON document' },
}
