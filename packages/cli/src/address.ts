/** Addresses of actors on the command line: `type/key`, where a compound key is its JSON. */
import { encodeKey, InvalidInput } from '@bailiwick/kernel'
import type { ActorKey } from '@bailiwick/kernel'
import type { CommandName } from './command.ts'
import { UsageError } from './failure.ts'

/** An actor, its key as the store has it. */
export interface Address {
  readonly type: string
  readonly key: string
}

/** An address as the store and every command write it. */
export function addressOf({ type, key }: Address): string {
  return `${type}/${key}`
}

/** Reads `type/key`. Throws `UsageError`. */
export function readAddress(text: string, command: CommandName): Address {
  const slash = text.indexOf('/')
  if (slash < 1) throw new UsageError(`${JSON.stringify(text)} is no address; it is written type/key`, command)
  const type = text.slice(0, slash)
  return { type, key: readKey(text.slice(slash + 1), command) }
}

/** Reads a key: a JSON array or string as what it says, everything else as it stands. Answers it as the store has it. Throws `UsageError`. */
export function readKey(text: string, command: CommandName): string {
  try {
    return encodeKey('key', meaningOf(text))
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error
    throw new UsageError(`${JSON.stringify(text)} is no key: ${error.issues.join(', ')}`, command)
  }
}

/** Whether a text begins like the JSON of a key and is none, so that it stands for a plain key, which is seldom meant. */
export function isBrokenJson(text: string): boolean {
  return /^["[]/.test(text) && meaningOf(text) === text
}

function meaningOf(text: string): ActorKey {
  if (!text.startsWith('[') && !text.startsWith('"')) return text
  try {
    const value: unknown = JSON.parse(text)
    const isKey = typeof value === 'string' || (Array.isArray(value) && value.every((part) => typeof part === 'string'))
    return isKey ? value : text
  } catch {
    // A plain key that only begins like JSON.
    return text
  }
}
