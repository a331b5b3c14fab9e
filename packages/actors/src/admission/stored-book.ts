/**
 * A book as the context of an actor holds it: the chunks of its list side by side, each a property of its own.
 *
 * What is new in a context is looked at, for what JSON cannot carry, property by property; properties that are the same as before
 * are passed over. So a step costs one chunk and a look at each name, however many wait. (When the first chunk is used up all others move
 * up, and are looked at once.)
 */
import { EMPTY_BOOK } from './book.ts'
import type { Book } from './book.ts'
import type { Waiter } from './fifo.ts'

/** A book in parts. */
export interface StoredBook {
  readonly rest: Omit<Book, 'waiting'>
  readonly size: number
  readonly quietUntil: number
  /** As many as there are, from 0 on; `undefined` for what is used no more. */
  readonly [chunk: `chunk${number}`]: readonly Waiter[] | undefined
}

/** The parts of a book; `before` is what it replaces. */
export function storedOf({ waiting, ...rest }: Book, before?: StoredBook): StoredBook {
  const chunks: Record<`chunk${number}`, readonly Waiter[] | undefined> = {}
  for (const [index, chunk] of waiting.chunks.entries()) chunks[`chunk${index}`] = chunk
  for (let index = waiting.chunks.length; before?.[`chunk${index}`] !== undefined; index += 1) chunks[`chunk${index}`] = undefined
  return { rest, size: waiting.size, quietUntil: waiting.quietUntil, ...chunks }
}

/** The book that these are the parts of. */
export function bookOf(stored: StoredBook): Book {
  const chunks: (readonly Waiter[])[] = []
  for (;;) {
    const chunk = stored[`chunk${chunks.length}`]
    if (chunk === undefined) return { ...stored.rest, waiting: { size: stored.size, quietUntil: stored.quietUntil, chunks } }
    chunks.push(chunk)
  }
}

/** The parts of a book that nobody has used. */
export const EMPTY_STORED_BOOK: StoredBook = storedOf(EMPTY_BOOK)
