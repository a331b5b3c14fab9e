/**
 * Which processes there are: what tells one from a later one with the same pid, its group, and whose it is.
 * Linux answers from /proc, every other system from `ps`.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'

/** The variable that marks our processes, and theirs. */
export const MARKER = 'BAILIWICK_PROCESS'

/** A process. */
export interface ProcessEntry {
  readonly pid: number
  /** Whether it has ended, and only its parent has not noticed. */
  readonly hasEnded: boolean
  readonly group: number
  readonly session: number
  /** Tells it from a later process with the same pid. */
  readonly identity: string
  /** Answers the marker in its environment; reads it only now, where that costs something. */
  marker(): string | undefined
}

const isLinux = process.platform === 'linux'
const PS_COLUMNS = ['-A', '-E', '-ww', '-o', 'pid=,pgid=,stat=,lstart=,command=']
const PS_OPTIONS = { encoding: 'utf8', maxBuffer: 2 ** 26, env: { PATH: process.env['PATH'], LC_ALL: 'C' } } as const
const PS_LINE = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(\S+\s+\S+\s+\d+\s+[\d:]+\s+\d+)\s*(.*)$/

/** Every process that holds a pid. */
export function processTable(): ProcessEntry[] {
  if (!isLinux) return parsePs(execFileSync('ps', PS_COLUMNS, PS_OPTIONS))
  const entries: ProcessEntry[] = []
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const entry = Number.isInteger(pid) ? processEntry(pid) : undefined
    if (entry !== undefined) entries.push(entry)
  }
  return entries
}

/** The process with this pid. */
export function processEntry(pid: number): ProcessEntry | undefined {
  if (!isLinux) return processTable().find((each) => each.pid === pid)
  const stat = readStat(pid)
  return stat === undefined ? undefined : { pid, ...stat, marker: () => markerOf(pid) }
}

/** What tells a child that has just been started from a later one with its pid; it was not reaped yet. */
export function identityOf(pid: number): string | undefined {
  try {
    if (isLinux) return readStat(pid)?.identity
    const start = words(execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], PS_OPTIONS))
    return start === '' ? undefined : start
  } catch {
    return undefined // No file can be opened, or there is no `ps`. The marker is left.
  }
}

/** Reads the answer of `ps`. */
export function parsePs(text: string): ProcessEntry[] {
  const entries: ProcessEntry[] = []
  for (const line of text.split('\n')) {
    const [, pid, group, state, start, rest] = PS_LINE.exec(line) ?? []
    if (pid === undefined || group === undefined || state === undefined || start === undefined) continue
    const marker = new RegExp(String.raw`(?:^|\s)${MARKER}=(\S+)`).exec(rest ?? '')?.[1]
    entries.push({
      pid: Number(pid),
      hasEnded: state.startsWith('Z'),
      group: Number(group),
      session: Number(group),
      identity: words(start),
      marker: () => marker,
    })
  }
  return entries
}

function words(text: string): string {
  return text.trim().split(/\s+/).join(' ')
}

let boot: string | undefined

function bootId(): string {
  boot ??= readText('/proc/sys/kernel/random/boot_id')?.trim() ?? 'unknown'
  return boot
}

interface Stat {
  readonly hasEnded: boolean
  readonly group: number
  readonly session: number
  readonly identity: string
}

/** Fields of /proc/<pid>/stat, which are counted from behind the name: it stands in parentheses and may hold any character. */
function readStat(pid: number): Stat | undefined {
  const text = readText(`/proc/${pid}/stat`)
  if (text === undefined) return undefined
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, , group, session] = fields
  const start = fields[19] // Field 22 of the line; the first of these is field 3.
  if (start === undefined) return undefined
  return {
    hasEnded: state === 'Z' || state === 'X' || state === 'x',
    group: Number(group),
    session: Number(session),
    identity: `${bootId()}/${start}`,
  }
}

function markerOf(pid: number): string | undefined {
  const prefix = `${MARKER}=`
  return readText(`/proc/${pid}/environ`)
    ?.split('\0')
    .find((each) => each.startsWith(prefix))
    ?.slice(prefix.length)
}

/** The text of a file of /proc; `undefined` if it has gone, or belongs to somebody else. Throws if no file can be opened at all. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'EMFILE' || error.code === 'ENFILE')) throw error
    return undefined
  }
}
