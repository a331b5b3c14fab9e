/** What a command is: its name and arguments, what it is asked, and what it answers. */

/** Every command that looks at a directory. */
export type CommandName = 'doctor' | 'ps' | 'show' | 'dead-letters' | 'timers' | 'outbox' | 'stats' | 'backup'

/** Options after their checks. */
export interface Options {
  readonly json: boolean
  readonly full: boolean
  readonly repair: boolean
  readonly quick: boolean
  readonly type: string | undefined
  readonly key: string | undefined
  readonly kind: 'effect' | 'message' | undefined
  /** How many rows a list may have. */
  readonly limit: number
}

/** Name of an option, as it is written after `--`. */
export type OptionName = keyof Options

/** What a command line has around it. */
export interface World {
  /** Wall time in milliseconds since 1970. */
  readonly now: () => number
  /** Milliseconds since some moment, never running backwards. */
  readonly elapsed: () => number
  /** Writes to standard output. */
  readonly print: (text: string) => void
  /** Writes to standard error. */
  readonly warn: (text: string) => void
  /** Width of the terminal; `undefined` if the output does not go to one, so that nothing is cut off. */
  readonly columns: number | undefined
  readonly isColored: boolean
  /** Whether errors are shown with their stack. */
  readonly isDebugging: boolean
  /** A signal that fires with `Interrupted` when the process is to end, which it does not from here on. */
  readonly interruption: () => AbortSignal
}

/** One command line that is to be run. */
export interface Call {
  /** The first positional argument of every command. */
  readonly directory: string
  /** The second one; empty where a command has none. */
  readonly subject: string
  readonly options: Options
  readonly world: World
}

/** What a command has found out. */
export interface Answer {
  /** What `--json` prints. */
  readonly json: unknown
  /** What people read, with its last line break. */
  readonly text: () => string
  /** Said on standard error, so that it disturbs nobody who reads the output. */
  readonly remark?: string | undefined
  /** Default: 0. */
  readonly exitCode?: number
}

/** A command. */
export interface Command {
  /** In one line. */
  readonly summary: string
  /** What comes after its name, as help shows it. The first is the directory. */
  readonly positionals: readonly string[]
  readonly options: readonly OptionName[]
  /** What help says beside its options, in lines; empty for most. */
  readonly details: readonly string[]
  run(call: Call): Answer | Promise<Answer>
}
