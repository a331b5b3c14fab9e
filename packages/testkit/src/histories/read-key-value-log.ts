/** Logs of key-value stores with one map per line: `{:process 0, :type :invoke, :f :append, :key "8", :value "x 0 0 y"}`. */
import { EdnReader } from './edn.ts'
import { eventOfMap, HistoryWriter } from './history-writer.ts'
import { InvalidHistory } from './history.ts'
import type { History } from './history.ts'

/**
 * Reads a history. Empty lines are skipped; a call whose end is missing has an unknown end. Throws `InvalidHistory` with the number of the
 * line for what is no history, and for an event without a key.
 */
export function readKeyValueLog(text: string): History {
  const writer = new HistoryWriter()
  for (const [position, content] of text.split(/\r?\n/).entries()) {
    const line = position + 1
    const reader = new EdnReader(content, line)
    if (reader.isAtEnd()) continue
    const event = eventOfMap(line, reader.read())
    if (!reader.isAtEnd()) throw new InvalidHistory(line, 'something follows the map')
    if (event === undefined) continue
    if (event.key === undefined) throw new InvalidHistory(line, ':key is missing')
    writer.add(line, event)
  }
  return writer.history
}
