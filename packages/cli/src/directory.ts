/** A directory opened to be looked at, and the first line that commands say of it. */
import { openReader } from '@bailiwick/store'
import type { DirectoryReader, OwnerView } from '@bailiwick/store'
import type { Answer, Call } from './command.ts'
import { countOf, lengthOf } from './measure.ts'

/** Looks at the directory of a call; the reader is gone when the answer is printed. Throws what opening a reader and its answers throw. */
export function looking(call: Call, look: (reader: DirectoryReader) => Answer): Answer {
  const reader = openReader(call.directory)
  try {
    return look(reader)
  } finally {
    reader.close()
  }
}

/** Who owns a directory, in words. */
export function ownerLine(owner: OwnerView, now: number): string {
  const { epoch, pid, since, isOwned } = owner
  if (isOwned === true) return `owned by process ${pid} since ${lengthOf(Math.max(0, now - since))} (epoch ${epoch})`
  const last = epoch === 0 ? 'never opened' : `last opened by process ${pid} ${lengthOf(Math.max(0, now - since))} ago (epoch ${epoch})`
  return isOwned === false ? `nobody has it open; ${last}` : `who has it open cannot be seen without the right to write there; ${last}`
}

/** The rows that were asked for, of a list that was read with one row more; and what to say if there are more. */
export function limited<Row>(rows: readonly Row[], limit: number): { readonly rows: readonly Row[]; readonly remark: string | undefined } {
  if (rows.length <= limit) return { rows, remark: undefined }
  return { rows: rows.slice(0, limit), remark: `There are more than ${countOf(limit, 'row')}; --limit shows more.` }
}
