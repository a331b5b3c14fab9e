/**
 * Child processes as the operating system has them. Each is the leader of a process group of its own, and carries a
 * marker in its environment that its children inherit: by it they are found when whoever started them is gone.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { JsonValue } from '../definition/process.ts'
import { MARKER, identityOf, processEntry, processTable } from './process-table.ts'
import type { ProcessEntry } from './process-table.ts'
import type { Child, ChildEvents, ChildNotes, ChildSpec, Children } from './seams.ts'

/** When the leader has ended and nothing was printed for two such spells, whoever holds its streams is not waited for. */
const QUIET_MS = 50
/** So long after the group is gone, streams that somebody outside of it holds are closed on our side. */
const DRAIN_MS = 1_000
const REMAINS_MS = 5_000
const REMAINS_POLL_MS = 20

/** Real child processes, on Linux and macOS. */
export const nodeChildren: Children = {
  start: async (spec, events) => {
    if (process.platform === 'win32') throw new Error('Owned processes need process groups, which Windows does not have.')
    const child = await spawned(spec)
    const { pid } = child
    if (pid === undefined) throw new Error(`${spec.command} has no pid.`)
    return new NodeChild(child, pid, identityOf(pid), spec, events)
  },
  endRemains,
}

/** Starts it. Nothing is read yet: its streams wait until somebody listens. */
async function spawned(spec: ChildSpec): Promise<ChildProcess> {
  const child = spawn(spec.command, spec.args, {
    ...(spec.cwd !== undefined && { cwd: spec.cwd }),
    env: { ...spec.env, [MARKER]: spec.marker },
    stdio: spec.hasChannel === true ? ['pipe', 'pipe', 'pipe', 'ipc'] : ['pipe', 'pipe', 'pipe'],
    detached: true,
    shell: false,
    serialization: 'json',
  })
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve).once('error', reject)
    })
  } catch (error) {
    if (spec.cwd !== undefined && !existsSync(spec.cwd)) {
      throw new Error(`The working directory of ${spec.command} does not exist.`, { cause: error })
    }
    throw error
  }
  // What fails from now on shows in an exit or in a rejected write.
  child.on('error', () => undefined)
  child.stdin?.on('error', () => undefined)
  child.stdout?.on('error', () => undefined)
  child.stderr?.on('error', () => undefined)
  return child
}

class NodeChild implements Child {
  readonly pid: number
  readonly identity: string | undefined
  readonly #child: ChildProcess
  readonly #marker: string
  readonly #events: ChildEvents
  /** Who was seen in the group when it was certainly ours, by pid: as long as one of them is there, it still is. */
  readonly #members = new Map<number, string>()
  #isReaped = false
  #isClosed = false
  #hasToldExit = false
  #isDraining = false
  #outputs = 0

  constructor(child: ChildProcess, pid: number, identity: string | undefined, spec: ChildSpec, events: ChildEvents) {
    this.#child = child
    this.pid = pid
    this.identity = identity
    this.#marker = spec.marker
    this.#events = events
    child.once('close', () => {
      this.#isClosed = true
      this.#tellExit()
    })
    child.once('exit', () => this.#leaderEnded())
    child.stdout?.on('data', (bytes: Uint8Array) => this.#output('stdout', bytes))
    child.stderr?.on('data', (bytes: Uint8Array) => this.#output('stderr', bytes))
    if (events.onMessage !== undefined) child.on('message', (message) => events.onMessage?.(message))
  }

  async write(text: string): Promise<void> {
    const { stdin } = this.#child
    await new Promise<void>((resolve, reject) => {
      if (stdin === null) reject(new Error('It has no standard input.'))
      else stdin.write(text, (error) => (error ? reject(error) : resolve()))
    })
  }

  end(): void {
    this.#child.stdin?.end()
  }

  post(message: JsonValue): void {
    if (!this.#child.connected) return
    // JSON values are what the channel carries; its type only knows arrays that can be written to.
    this.#child.send(message as object, () => undefined)
  }

  signalGroup(signal: 'SIGTERM' | 'SIGKILL'): boolean {
    if (this.#isReaped && this.#hasOurs() !== true) return false
    // Who is in the group now is ours, and may outlive the leader.
    if (signal === 'SIGTERM') this.#remember(groupOf(this.pid) ?? [])
    return sendSignal(-this.pid, signal)
  }

  isGroupAlive(): boolean {
    if (!this.#isReaped) return true
    const isAlive = this.#hasOurs() !== false
    if (!isAlive) this.#drain()
    return isAlive
  }

  #output(stream: 'stdout' | 'stderr', bytes: Uint8Array): void {
    this.#outputs += 1
    this.#events.onOutput(stream, bytes)
  }

  /** The leader was reaped just now: its pid cannot have been given to the leader of another session yet. */
  #leaderEnded(): void {
    this.#isReaped = true
    if (canSignal(-this.pid)) this.#remember((groupOf(this.pid) ?? []).filter(({ session }) => session === this.pid))
    this.#awaitQuiet(this.#outputs, 0)
  }

  /** Streams that grandchildren hold do not close. What the leader has printed is there as soon as nothing more comes. */
  #awaitQuiet(outputs: number, quiet: number): void {
    setTimeout(() => {
      // Behind the events that are due, however long the thread was busy.
      setImmediate(() => {
        if (this.#isClosed || this.#hasToldExit) return
        const isQuiet = outputs === this.#outputs
        if (isQuiet && quiet > 0) this.#tellExit()
        else this.#awaitQuiet(this.#outputs, isQuiet ? quiet + 1 : 0)
      })
    }, QUIET_MS).unref()
  }

  #tellExit(): void {
    if (this.#hasToldExit) return
    this.#hasToldExit = true
    this.#events.onExit(this.#child.exitCode, this.#child.signalCode)
  }

  /** Somebody who has left the group may hold our streams for ever. */
  #drain(): void {
    if (this.#isDraining || this.#isClosed) return
    this.#isDraining = true
    setTimeout(() => {
      this.#child.stdout?.destroy()
      this.#child.stderr?.destroy()
    }, DRAIN_MS).unref()
  }

  #remember(entries: readonly ProcessEntry[]): void {
    for (const { pid, identity } of entries) if (pid !== this.pid) this.#members.set(pid, identity)
  }

  /** Whether one of ours is in the group; `undefined` while the system does not tell. */
  #hasOurs(): boolean | undefined {
    if (!canSignal(-this.pid)) return false
    const group = groupOf(this.pid)
    if (group === undefined) return undefined
    // A group that holds one of ours has never been empty, so that all of it is ours.
    const isOurs = group.some((each) => this.#members.get(each.pid) === each.identity || each.marker() === this.#marker)
    if (isOurs) this.#remember(group)
    return isOurs
  }
}

/** Everybody in a group who is alive; `undefined` if the system does not tell at the moment. */
function groupOf(group: number): ProcessEntry[] | undefined {
  try {
    return processTable().filter((each) => each.group === group && !each.hasEnded)
  } catch {
    return undefined
  }
}

/** False if nobody is there, or nobody whom we may send signals. */
function sendSignal(pid: number, signal: 'SIGTERM' | 'SIGKILL' | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

/** Whether somebody is there, be it somebody whom we may not send signals. */
function canSignal(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

async function endRemains(notes: readonly ChildNotes[]): Promise<number> {
  const ended = new Set<string>()
  if (notes.length === 0 || process.platform === 'win32') return 0
  const until = performance.now() + REMAINS_MS
  // Again until nobody is found: one that was being forked during the first look shows in the second.
  for (;;) {
    const remains = findRemains(notes)
    if (remains.length === 0) return ended.size
    for (const { pid, identity } of remains) {
      ended.add(`${pid} ${identity}`)
      // Once more, because it may have ended since.
      if (processEntry(pid)?.identity === identity) sendSignal(pid, 'SIGKILL')
    }
    if (performance.now() > until) throw new Error(`Processes of an earlier owner do not end: ${remains.map(({ pid }) => pid).join(', ')}.`)
    await new Promise((resolve) => setTimeout(resolve, REMAINS_POLL_MS))
  }
}

/** Everybody who belongs to these notes: by pid and identity, by the marker, or as a member of a group that one of those is in. */
function findRemains(notes: readonly ChildNotes[]): ProcessEntry[] {
  const table = processTable().filter(({ pid }) => pid !== process.pid)
  const byMarker = new Map(notes.map((note) => [note.marker, note]))
  const leaders = new Set(notes.flatMap(({ pid, identity }) => (pid === undefined || identity === undefined ? [] : [`${pid} ${identity}`])))
  const groups = new Set<number>()
  const found = new Set<ProcessEntry>()
  for (const entry of table) {
    const isLeader = leaders.has(`${entry.pid} ${entry.identity}`)
    const marker = entry.marker()
    const marked = marker === undefined ? undefined : byMarker.get(marker)
    if (!isLeader && marked === undefined) continue
    found.add(entry)
    if (entry.pid === entry.group || marked?.pid === entry.group) groups.add(entry.group)
  }
  for (const entry of table) if (groups.has(entry.group)) found.add(entry)
  return [...found].filter(({ hasEnded }) => !hasEnded)
}
