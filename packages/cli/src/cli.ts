/**
 * From arguments to output and exit code: finds the command, runs it, and says in one line what went wrong.
 */
import { readFileSync } from 'node:fs'
import { readArguments } from './arguments.ts'
import { COMMANDS } from './commands.ts'
import { ExitCode, failureOf } from './failure.ts'
import { helpOf, helpOfAll } from './help.ts'
import type { Answer, CommandName, World } from './command.ts'

/** Runs one command line to its end. Answers the exit code; never throws. */
export async function runCli(args: readonly string[], world: World): Promise<number> {
  let command: CommandName | undefined
  try {
    const wish = readArguments(args)
    if (wish.kind === 'version') {
      world.print(`${versionOfPackage()}\n`)
      return ExitCode.fine
    }
    if (wish.kind === 'help' && !wish.isAsked) {
      world.warn(helpOfAll())
      return ExitCode.usage
    }
    if (wish.kind === 'help') {
      world.print(wish.command === undefined ? helpOfAll() : helpOf(wish.command))
      return ExitCode.fine
    }
    ;({ command } = wish)
    const { positionals, options } = wish
    const [directory = '', subject = ''] = positionals
    const answer = await COMMANDS[command].run({ directory, subject, options, world })
    print(answer, options.json, world)
    return answer.exitCode ?? ExitCode.fine
  } catch (error) {
    const { line, exitCode } = failureOf(error, command)
    world.warn(`bailiwick: ${line}\n`)
    if (world.isDebugging && error instanceof Error) world.warn(`${error.stack ?? ''}\n`)
    return exitCode
  }
}

function print(answer: Answer, isJson: boolean, world: World): void {
  world.print(isJson ? `${JSON.stringify(answer.json, undefined, 2)}\n` : answer.text())
  if (answer.remark !== undefined) world.warn(`bailiwick: ${answer.remark}\n`)
}

function versionOfPackage(): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { readonly version: string }
  return manifest.version
}
