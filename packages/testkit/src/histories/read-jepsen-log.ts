/** Histories out of the log of a Jepsen test: lines like `INFO  jepsen.util - 4\t:invoke\t:cas\t[1 2]`. */
import { EdnReader } from './edn.ts'
import { HistoryWriter, isType } from './history-writer.ts'
import { InvalidHistory } from './history.ts'
import type { History, HistoryEventType } from './history.ts'

/** Whatever the logger writes before it, an operation is process, type, function, value and perhaps an error, mostly with tabs between. */
const OPERATION = /(?:\s-|:)\s+(:nemesis|\d+)\s+:(invoke|ok|fail|info)\s+:([^\s,()[\]{}"]+)(?:\s+(.*))?$/

/**
 * Reads the operations out of a log; all other lines, and those of the nemesis, are skipped. A log has no times that could be compared: they
 * are 0. Throws `InvalidHistory` with the number of the line for operations that are no history.
 */
export function readJepsenLog(text: string): History {
  const writer = new HistoryWriter()
  for (const [position, content] of text.split(/\r?\n/).entries()) {
    const line = position + 1
    const [, process, type, f, rest = ''] = OPERATION.exec(content) ?? []
    if (process === undefined || process === ':nemesis' || !isType(type) || f === undefined) continue
    writer.add(line, { process: Number(process), type, f, value: valueOf(line, type, rest), time: 0 })
  }
  return writer.history
}

function valueOf(line: number, type: HistoryEventType, rest: string): unknown {
  const isAnswer = type === 'invoke' || type === 'ok'
  try {
    const reader = new EdnReader(rest, line)
    const value = reader.isAtEnd() ? null : reader.read()
    // A second one is the error.
    return isAnswer || reader.isAtEnd() ? value : reader.read()
  } catch (error) {
    // Errors may be printed in any way, and matter to nobody but people.
    if (isAnswer || !(error instanceof InvalidHistory)) throw error
    return rest
  }
}
