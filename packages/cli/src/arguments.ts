/**
 * Reading the command line. Options may stand anywhere; what is unknown, doubled or out of place is refused by name, because a
 * misspelt filter would show everything.
 */
import { parseArgs } from 'node:util'
import type { CommandName, OptionName, Options } from './command.ts'
import { COMMANDS, isCommandName } from './commands.ts'
import { UsageError } from './failure.ts'
import { nearest } from './nearest.ts'
import { OPTIONS } from './options.ts'

/** What is wished for. */
export type Wish =
  | { readonly kind: 'run'; readonly command: CommandName; readonly positionals: readonly string[]; readonly options: Options }
  /** `isAsked`: false where nothing was said at all. */
  | { readonly kind: 'help'; readonly command: CommandName | undefined; readonly isAsked: boolean }
  | { readonly kind: 'version' }

interface Given {
  readonly name: string
  /** As it was written. */
  readonly rawName: string
  readonly value: string | undefined
  readonly isInline: boolean
}

const LIMIT_DEFAULT = 100
const LIMIT_MAX = 1_000_000

/** Reads the arguments after the name of the program. Throws `UsageError`. */
export function readArguments(args: readonly string[]): Wish {
  const { words, given } = split(args)
  const [first, ...rest] = words
  const isHelp = given.some(({ name }) => name === 'help')
  if (first === undefined && given.length === 0) return { kind: 'help', command: undefined, isAsked: false }
  if (isHelp || first === 'help') {
    const about = first === 'help' ? rest[0] : first
    return { kind: 'help', command: about === undefined || about === 'help' ? undefined : commandOf(about), isAsked: true }
  }
  if (given.some(({ name }) => name === 'version')) return { kind: 'version' }
  if (first === undefined) throw new UsageError('a command is missing')
  const command = commandOf(first)
  // Options first: what follows an unknown one looks like an argument too many.
  const options = optionsOf(command, given)
  return { kind: 'run', command, positionals: positionalsOf(command, rest), options }
}

function split(args: readonly string[]): { readonly words: readonly string[]; readonly given: readonly Given[] } {
  const types = Object.entries(OPTIONS).map(
    ([name, { value }]) => [name, { type: value === undefined ? 'boolean' : 'string' } as const] as const,
  )
  const { tokens } = parseArgs({
    args: [...args],
    options: { ...Object.fromEntries(types), help: { type: 'boolean', short: 'h' }, version: { type: 'boolean', short: 'V' } },
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const words: string[] = []
  const given: Given[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value)
    else if (token.kind === 'option') {
      const { name, rawName, value, inlineValue } = token
      given.push({ name, rawName, value, isInline: inlineValue ?? false })
    }
  }
  return { words, given }
}

function commandOf(word: string): CommandName {
  if (isCommandName(word)) return word
  throw new UsageError(`there is no command ${JSON.stringify(word)}${meant(nearest(word, [...Object.keys(COMMANDS), 'help']), '')}`)
}

function positionalsOf(command: CommandName, words: readonly string[]): readonly string[] {
  const { positionals } = COMMANDS[command]
  const missing = positionals[words.length]
  if (missing !== undefined) throw new UsageError(`${command} needs ${positionals.join(' and ')}; ${missing} is missing`, command)
  const surplus = words[positionals.length]
  if (surplus !== undefined)
    throw new UsageError(`${command} takes ${positionals.join(' and ')}; ${JSON.stringify(surplus)} is too much`, command)
  const empty = words.indexOf('')
  if (empty !== -1) throw new UsageError(`${positionals[empty] ?? ''} is empty`, command)
  return words
}

function optionsOf(command: CommandName, given: readonly Given[]): Options {
  const known: readonly OptionName[] = COMMANDS[command].options
  const values = new Map<OptionName, string>()
  for (const { name, rawName, value, isInline } of given) {
    const option = known.find((other) => other === name)
    if (option === undefined) {
      const near = rawName.startsWith('--') ? nearest(name, known) : undefined
      throw new UsageError(`${command} has no option ${rawName}${meant(near, '--')}`, command)
    }
    if (values.has(option)) throw new UsageError(`${rawName} is given twice`, command)
    values.set(option, checkValue(command, option, value, isInline))
  }
  const kind = values.get('kind')
  return {
    json: values.has('json'),
    full: values.has('full'),
    repair: values.has('repair'),
    quick: values.has('quick'),
    type: values.get('type'),
    key: values.get('key'),
    kind: kind === undefined ? undefined : kindOf(command, kind),
    limit: limitOf(command, values.get('limit')),
  }
}

function checkValue(command: CommandName, option: OptionName, value: string | undefined, isInline: boolean): string {
  const wanted = OPTIONS[option].value
  if (wanted === undefined) {
    if (isInline) throw new UsageError(`--${option} takes no value`, command)
    return ''
  }
  const isOption = !isInline && value?.startsWith('-') === true
  if (value === undefined || value === '' || isOption) {
    const hint = isOption ? `; if ${value} is the value, write --${option}=${value}` : ''
    throw new UsageError(`--${option} needs ${wanted}${hint}`, command)
  }
  return value
}

function kindOf(command: CommandName, value: string): 'effect' | 'message' {
  if (value === 'effect' || value === 'message') return value
  throw new UsageError(`--kind is effect or message, not ${JSON.stringify(value)}`, command)
}

function limitOf(command: CommandName, value: string | undefined): number {
  if (value === undefined) return LIMIT_DEFAULT
  const limit = /^\d{1,7}$/.test(value) ? Number(value) : 0
  if (limit >= 1 && limit <= LIMIT_MAX) return limit
  throw new UsageError(`--limit is a whole number from 1 to ${LIMIT_MAX}, not ${JSON.stringify(value)}`, command)
}

function meant(word: string | undefined, prefix: string): string {
  return word === undefined ? '' : `; did you mean ${prefix}${word}?`
}
