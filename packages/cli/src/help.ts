/** What `help` prints. */
import type { CommandName } from './command.ts'
import { COMMANDS } from './commands.ts'
import { OPTIONS } from './options.ts'

/** About everything. */
export function helpOfAll(): string {
  const commands = Object.entries(COMMANDS).map(
    ([name, { positionals, summary }]) => [`${name} ${positionals.join(' ')}`, summary] as const,
  )
  const rest = [
    ['help [COMMAND]', 'say more about a command'],
    ['--version', 'print the version'],
  ] as const
  return `Looks after a directory of Bailiwick, beside its owner or while nobody has it open. Only \`doctor --repair\` writes.

  bailiwick COMMAND DIR [OPTIONS]

${aligned([...commands, ...rest])}
Exit codes: 0 fine, 1 doctor found an error or show no actor, 2 wrong usage, 3 the directory cannot be read.
`
}

/** About one command. */
export function helpOf(name: CommandName): string {
  const { summary, positionals, options, details } = COMMANDS[name]
  const rows = options.map((option) => {
    const { placeholder, summary: about } = OPTIONS[option]
    return [placeholder === undefined ? `--${option}` : `--${option} ${placeholder}`, about] as const
  })
  const about = details.map((line) => `${line}\n`).join('')
  return `${capitalized(summary)}.

  bailiwick ${name} ${positionals.join(' ')} [OPTIONS]

${aligned(rows)}${about === '' ? '' : `\n${about}`}`
}

function aligned(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('')
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
