/** What goes wrong, in one line: a code, what happened, and what to do; and the exit code that says so to programs. */
import { BailiwickError } from '@bailiwick/store'
import type { CommandName } from './command.ts'
import { visible } from './text.ts'

/** How a command line ends. */
export const ExitCode = {
  fine: 0,
  /** A check found something of level `error`, or there is no such actor. */
  found: 1,
  /** The command line is wrong; nothing was done. */
  usage: 2,
  /** The directory cannot be read, is not free for a repair, or the copy cannot be made. */
  failed: 3,
} as const

/** The command line is wrong. The message says how, and what would be right. */
export class UsageError extends Error {
  readonly code = 'USAGE'
  /** The command that was meant, if it was recognised. */
  readonly command: CommandName | undefined

  constructor(message: string, command?: CommandName) {
    super(message)
    this.command = command
  }
}

/** A signal has ended what was going on. */
export class Interrupted extends Error {
  readonly code = 'INTERRUPTED'

  constructor(name: string) {
    super(`${name} has ended it, and nothing is left of it`)
  }
}

/** An error as its line, without the name of the program, and its exit code. */
export function failureOf(error: unknown, command: CommandName | undefined): { readonly line: string; readonly exitCode: number } {
  if (error instanceof UsageError) {
    const help = error.command === undefined ? 'bailiwick help' : `bailiwick help ${error.command}`
    return { line: lineOf(error.code, error.message, `See \`${help}\`.`), exitCode: ExitCode.usage }
  }
  if (error instanceof BailiwickError) {
    return { line: lineOf(error.code, error.message, adviceOf(error.code, command)), exitCode: ExitCode.failed }
  }
  if (error instanceof Interrupted) return { line: lineOf(error.code, error.message, ''), exitCode: ExitCode.failed }
  const message = error instanceof Error ? error.message : String(error)
  return { line: lineOf(codeOf(error), message, 'BAILIWICK_DEBUG=1 shows where.'), exitCode: ExitCode.failed }
}

function lineOf(code: string, message: string, advice: string): string {
  const sentence = /[.!?]$/.test(message) ? message : `${message}.`
  return visible(`${code}: ${sentence} ${advice}`).trimEnd()
}

/** The code of an error that is not Bailiwick's. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'UNEXPECTED'
}

function adviceOf(code: string, command: CommandName | undefined): string {
  const isCopy = command === 'backup'
  switch (code) {
    case 'DIRECTORY_MISSING':
      return isCopy
        ? 'Name the directory that the program opens, and a target whose parent exists.'
        : 'Name the directory that the program opens.'
    case 'DIRECTORY_NOT_OURS':
      return 'Name the directory that the program opens.'
    case 'DIRECTORY_NOT_WRITABLE':
      return 'Run it as the user who owns the files.'
    case 'DIRECTORY_IN_USE':
      return 'Stop that process first; everything but --repair works beside it.'
    case 'STORE_DAMAGED':
      return command === 'doctor'
        ? 'Restore the directory from a backup.'
        : '`bailiwick doctor` says what is damaged and what can be repaired.'
    case 'STORE_UNAVAILABLE':
      return 'Try again once that is mended.'
    default:
      return ''
  }
}
