/** Child processes that exist on paper only: they answer every line at once, and count who was started and killed. */
import type { Child, ChildEvents, Children, ChildSpec } from '@bailiwick/kernel/seams'

/** A child that is no process. */
class PaperChild implements Child {
  readonly pid: number
  readonly identity: string
  readonly spec: ChildSpec
  readonly lines: string[] = []
  readonly signals: string[] = []
  isAlive = true
  readonly #ignoresTerm: boolean
  readonly #events: ChildEvents

  constructor(pid: number, spec: ChildSpec, events: ChildEvents, ignoresTerm: boolean) {
    this.#ignoresTerm = ignoresTerm
    this.pid = pid
    this.identity = `child ${pid}`
    this.spec = spec
    this.#events = events
  }

  write(text: string): Promise<void> {
    if (!this.isAlive) return Promise.reject(new Error('It is gone.'))
    this.lines.push(text.trimEnd())
    return Promise.resolve()
  }

  end(): void {
    // It goes on without input.
  }

  post(): void {
    // It has no channel.
  }

  /** Prints a line. */
  say(line: string): void {
    this.#events.onOutput('stdout', new TextEncoder().encode(`${line}\n`))
  }

  signalGroup(signal: 'SIGTERM' | 'SIGKILL'): boolean {
    if (!this.isAlive) return false
    this.signals.push(signal)
    if (signal === 'SIGKILL' || !this.#ignoresTerm) this.die(null, signal)
    return true
  }

  die(exitCode: number | null, signal: string | null): void {
    this.isAlive = false
    queueMicrotask(() => this.#events.onExit(exitCode, signal))
  }

  isGroupAlive(): boolean {
    return this.isAlive
  }
}

/** Starts children on paper. */
export class PaperChildren implements Children {
  readonly started: PaperChild[] = []
  readonly #ignoresTerm: boolean

  constructor({ ignoresTerm = false }: { readonly ignoresTerm?: boolean } = {}) {
    this.#ignoresTerm = ignoresTerm
  }

  start(spec: ChildSpec, events: ChildEvents): Promise<Child> {
    const child = new PaperChild(90_000 + this.started.length, spec, events, this.#ignoresTerm)
    this.started.push(child)
    return Promise.resolve(child)
  }

  endRemains(): Promise<number> {
    return Promise.resolve(0)
  }
}
