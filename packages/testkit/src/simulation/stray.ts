/**
 * Strays: what reaches past the simulation to the real clock, chance, timers or I/O, and where in whose code.
 *
 * Code is looked at between `enterPlace` and `leavePlace`; if several owners have entered one, the last of them is told. A place is a matter of what runs now, in this thread: it does not go along with promises.
 */
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Something that reached past the simulation. */
export interface Stray {
  /** What was called, as `Date.now`; `Promise` for a promise; the type of Node's resource for other asynchronous work, as `FSREQCALLBACK`. */
  readonly api: string
  /** Whose code it was, as the guard was told on entering. */
  readonly where: string
  /** Path of the file, line and column of the call, from 1; of what the tool that runs the program says is the source. */
  readonly file: string
  readonly line: number
  readonly column: number
  /** All of it in one sentence. */
  readonly message: string
}

/** What code may do: a `transition` ends at once and starts nothing that goes on; a `run` may wait. */
export type GuardMode = 'transition' | 'run'

/** Whose code runs. */
export interface Place {
  /** The guards that were told. */
  readonly owner: object
  readonly where: string
  readonly mode: GuardMode
}

/** A line of a stack that is not Node's own. */
interface Frame {
  readonly file: string
  readonly line: number
  readonly column: number
  /** Ours or somebody's package: what it calls is no stray. */
  readonly isTrusted: boolean
}

/** Enough to get past what Node and a package put between a call and whoever made it. */
const STACK_FRAMES = 40

/** So many lines of stacks are remembered; then all are forgotten, which costs a little time. */
const REMEMBERED_MAX = 10_000

/** One of these at the end of a line, with or without a function's name before it. */
const location = /(?:\(|at (?:async )?)([^()]*?):(\d+):(\d+)\)?$/

/** Folders of the kernel, the store and the test kit, which wait for nobody's clock but that of the seams. */
const trusted: readonly string[] = [
  dirname(fileURLToPath(import.meta.resolve('@bailiwick/kernel'))),
  dirname(fileURLToPath(import.meta.resolve('@bailiwick/store'))),
  dirname(import.meta.dirname),
].map((folder) => `${folder}/`.replaceAll('\\', '/'))

const remembered = new Map<string, Frame | undefined>()

const places: Place[] = []

/** Set while a stray is told: what the listener itself calls is none. */
let isTelling = false

/** Says whose code runs from here on. An owner has one place at a time: the one before is over. */
export function enterPlace(place: Place): void {
  const last = places.length - 1
  if (places[last]?.owner === place.owner) {
    places[last] = place
    return
  }
  leavePlace(place.owner)
  places.push(place)
}

/** Ends the place of an owner, if it has one. */
export function leavePlace(owner: object): void {
  // Nearly always the last one, and this is done around every transition.
  if (places.at(-1)?.owner === owner) {
    places.pop()
    return
  }
  const index = places.findIndex((place) => place.owner === owner)
  if (index !== -1) places.splice(index, 1)
}

/** Whether an owner has a place. */
export function hasPlace(owner: object): boolean {
  return places.some((place) => place.owner === owner)
}

/** Whose code runs now, if a guard was told. */
export function placeNow(): Place | undefined {
  return isTelling ? undefined : places.at(-1)
}

/**
 * Finds out who called: the first line of the stack that is not Node's own, outside of `cut` and what that has called.
 * Answers the stray, or `undefined` if the caller is trusted or unknown.
 */
export function strayAt(api: string, does: string, { where }: Place, cut: (...given: never[]) => unknown): Stray | undefined {
  const frame = callerOf(cut)
  if (frame === undefined || frame.isTrusted) return undefined
  const { file, line, column } = frame
  return { api, where, file, line, column, message: `${where} ${does} at ${file}:${line}:${column}` }
}

/** Tells a listener of a stray; what it does meanwhile is not looked at. What it throws is thrown. */
export function tell(listener: (stray: Stray) => void, stray: Stray): void {
  isTelling = true
  try {
    listener(stray)
  } finally {
    isTelling = false
  }
}

/**
 * The stack is read as text: so it is what others have made of it, who know that the file which runs was compiled from another.
 */
function callerOf(cut: (...given: never[]) => unknown): Frame | undefined {
  const limit = Error.stackTraceLimit
  const holder: { stack?: unknown } = {}
  Error.stackTraceLimit = STACK_FRAMES
  try {
    Error.captureStackTrace(holder, cut)
  } finally {
    Error.stackTraceLimit = limit
  }
  if (typeof holder.stack !== 'string') return undefined
  for (const line of holder.stack.split('\n')) {
    const frame = frameOf(line)
    if (frame !== undefined) return frame
  }
  return undefined
}

function frameOf(line: string): Frame | undefined {
  if (remembered.has(line)) return remembered.get(line)
  const frame = parse(line)
  if (remembered.size === REMEMBERED_MAX) remembered.clear()
  remembered.set(line, frame)
  return frame
}

/** `undefined` for what is no line of a stack, and for Node's own lines and those of the language. */
function parse(text: string): Frame | undefined {
  if (!/^\s*at /.test(text)) return undefined
  const [, place, line, column] = location.exec(text) ?? []
  if (place === undefined || place.startsWith('node:') || place === '<anonymous>' || place === 'native') return undefined
  const file = place.startsWith('file://') ? fileURLToPath(place.replace(/[?#].*$/, '')) : place
  const path = file.replaceAll('\\', '/')
  const isTrusted = path.includes('/node_modules/') || trusted.some((folder) => path.startsWith(folder))
  return { file, line: Number(line), column: Number(column), isTrusted }
}
