/** Histories of Jepsen in EDN: `history.edn`, a vector of maps or one map after the other. */
import { EdnReader } from './edn.ts'
import { eventOfMap, HistoryWriter, keyOf } from './history-writer.ts'
import type { History } from './history.ts'

/** How values are to be understood. */
export interface EdnHistoryOptions {
  /**
   * Whether values are pairs of a key and a value, as `jepsen.independent` writes them (`:value [3 nil]`): then the first becomes the key
   * of the event. False by default.
   */
  readonly independent?: boolean
}

/**
 * Reads a history. Events of the nemesis are left out; positions are counted anew from 0; times, nanoseconds there, are milliseconds
 * here. Throws `InvalidHistory` with the number of the line for what is no history.
 */
export function readEdnHistory(text: string, { independent = false }: EdnHistoryOptions = {}): History {
  const reader = new EdnReader(text)
  const writer = new HistoryWriter()
  // The key stands in every value but those that are errors.
  const keys = new Map<number, string>()
  for (const { line, map } of mapsOf(reader)) {
    const event = eventOfMap(line, map)
    if (event === undefined) continue
    const { process, value } = event
    if (!independent) {
      writer.add(line, event)
      continue
    }
    const pair: readonly unknown[] | undefined =
      Array.isArray(value) && value.length === 2 && (event.type === 'invoke' || event.type === 'ok') ? value : undefined
    if (event.type === 'invoke') {
      if (pair === undefined) keys.delete(process)
      else keys.set(process, keyOf(pair[0]))
    }
    const key = keys.get(process)
    writer.add(line, { ...event, ...(key === undefined ? {} : { key }), value: pair === undefined ? value : pair[1] })
  }
  return writer.history
}

function* mapsOf(reader: EdnReader): Generator<{ readonly line: number; readonly map: unknown }> {
  while (!reader.isAtEnd()) {
    const end = reader.take('[') ? ']' : reader.take('(') ? ')' : undefined
    if (end === undefined) yield nextOf(reader)
    else while (!reader.take(end)) yield nextOf(reader)
  }
}

function nextOf(reader: EdnReader): { readonly line: number; readonly map: unknown } {
  // Over blanks, to the line on which the value begins.
  reader.isAtEnd()
  const { line } = reader
  return { line, map: reader.read() }
}
