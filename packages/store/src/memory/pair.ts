/** Names made of two texts. */

/** Two texts as one, so that different pairs never look the same, whatever characters they hold. */
export function pair(first: string, second: string): string {
  return `${first.length}:${first}${second}`
}
