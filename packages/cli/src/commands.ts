/** Every command by its name, in the order in which help lists them. */
import type { Command, CommandName } from './command.ts'
import { backup } from './commands/backup.ts'
import { deadLetters } from './commands/dead-letters.ts'
import { doctor } from './commands/doctor.ts'
import { outbox } from './commands/outbox.ts'
import { ps } from './commands/ps.ts'
import { show } from './commands/show.ts'
import { stats } from './commands/stats.ts'
import { timers } from './commands/timers.ts'

/** The commands. */
export const COMMANDS: Readonly<Record<CommandName, Command>> = {
  doctor,
  ps,
  show,
  'dead-letters': deadLetters,
  timers,
  outbox,
  stats,
  backup,
}

/** Whether a word is the name of a command. */
export function isCommandName(word: string): word is CommandName {
  return Object.hasOwn(COMMANDS, word)
}
