/**
 * Histories of a thing that really is linearizable: clients call it at random, each call takes effect at one moment between its
 * beginning and its end, and some ends are never heard. And violations, planted where they cannot be explained.
 */
import type { History, HistoryEvent } from '../../src/histories/history.ts'
import { seededRandom } from '../../src/seeded-random.ts'

export interface Simulated {
  readonly seed: number
  readonly operations: number
  readonly clients: number
  /** How many keys; without, there is one thing without a key. */
  readonly keys?: number
  /** The share of calls whose end nobody hears, half of which take effect, some long after. */
  readonly unknown?: number
}

/** What a client does: it asks, and later the thing answers. */
interface Call {
  process: number
  readonly key: string | undefined
  readonly f: string
  readonly input: unknown
  phase: 'begun' | 'done' | 'unknown'
  output: unknown
}

type Random = () => number

/** A key-value store with `get`, `put` and `append`, as a history. Every written text is written once. */
export function simulatedKeyValue(options: Simulated): History {
  return simulate(options, {
    ask: (random, serial) => {
      const kind = random()
      if (kind < 0.4) return { f: 'get', input: null }
      return { f: kind < 0.5 ? 'put' : 'append', input: `x ${serial} y` }
    },
    apply: (value, { f, input }) => {
      const text = (value ?? '') as string
      if (f === 'get') return { value: text, output: text }
      return { value: f === 'put' ? input : text + String(input), output: input }
    },
  })
}

/** A register with `read`, `write` and `cas` over few values, as a history. */
export function simulatedRegister(options: Simulated): History {
  return simulate(options, {
    ask: (random) => {
      const [kind, from, to] = [random(), Math.floor(random() * 5), Math.floor(random() * 5)]
      return kind < 0.4 ? { f: 'read', input: null } : kind < 0.7 ? { f: 'write', input: to } : { f: 'cas', input: [from, to] }
    },
    apply: (last, { f, input }) => {
      const value = last ?? null
      if (f === 'read') return { value, output: value }
      if (f === 'write') return { value: input, output: input }
      const [from, to] = input as [unknown, unknown]
      return value === from ? { value: to, output: input } : { value, output: undefined, isRefused: true }
    },
  })
}

interface Thing {
  ask: (random: Random, serial: number) => { readonly f: string; readonly input: unknown }
  apply: (value: unknown, call: Call) => { readonly value: unknown; readonly output: unknown; readonly isRefused?: true }
}

const REFUSED = Symbol('refused')

function simulate({ seed, operations, clients, keys, unknown = 0 }: Simulated, { ask, apply }: Thing): History {
  const random = seededRandom(seed)
  const history: HistoryEvent[] = []
  const values = new Map<string | undefined, unknown>()
  const active: (Call | undefined)[] = Array.from({ length: clients }, () => undefined)
  const processes = active.map((_, client) => client)
  const lost: Call[] = []
  let begun = 0
  const write = ({ process, f, key }: Call, type: HistoryEvent['type'], value: unknown): void => {
    history.push({ index: history.length, time: history.length, process, type, f, ...(key === undefined ? {} : { key }), value })
  }
  const takeEffect = (call: Call): void => {
    const { value, output, isRefused } = apply(values.get(call.key), call)
    values.set(call.key, value)
    call.output = isRefused === true ? REFUSED : output
    call.phase = 'done'
  }
  while (begun < operations || active.some((call) => call !== undefined)) {
    const client = Math.floor(random() * clients)
    const call = active[client]
    if (call === undefined) {
      if (begun >= operations) continue
      const key = keys === undefined ? undefined : String(Math.floor(random() * keys))
      const next: Call = { process: processes[client]!, key, ...ask(random, begun), phase: 'begun', output: undefined }
      begun += 1
      active[client] = next
      write(next, 'invoke', next.input)
    } else if (random() < unknown) {
      active[client] = undefined
      processes[client]! += clients
      write(call, 'info', 'timed-out')
      if (call.phase === 'begun' && random() < 0.5) lost.push(call)
    } else if (call.phase === 'begun') takeEffect(call)
    else {
      active[client] = undefined
      if (call.output === REFUSED) write(call, 'fail', 'not-so')
      else write(call, 'ok', call.output)
    }
    if (lost.length > 0 && random() < 0.01) takeEffect(lost.splice(Math.floor(random() * lost.length), 1)[0]!)
  }
  return history
}

/**
 * The same history with one read of the key that cannot be: it lacks a text from the middle, while another read has seen all, up to the
 * same last text. Every text is written once, so that they cannot both be right.
 */
export function withImpossibleGet(history: History, key: string): History {
  const gets = history.filter((event) => event.key === key && event.f === 'get' && event.type === 'ok' && textsOf(event).length >= 3)
  const bad = gets.toReversed().find((get) => gets.some((other) => other !== get && String(other.value).startsWith(String(get.value))))
  if (bad === undefined) throw new Error(`No read of key ${key} can be made impossible.`)
  const texts = textsOf(bad)
  const value = texts.filter((_, position) => position !== texts.length - 2).join('')
  return history.map((event) => (event === bad ? { ...event, value } : event))
}

function textsOf({ value }: HistoryEvent): readonly string[] {
  return String(value).match(/x \d+ y/g) ?? []
}
