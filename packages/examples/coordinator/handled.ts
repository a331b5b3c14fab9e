/** How often an actor has taken each of its commands: what the totals of the demo are summed from. */
export type Handled = Readonly<Record<string, number>>

/** The same counts with one more for this command. */
export function countOne(handled: Handled, command: string): Handled {
  return { ...handled, [command]: (handled[command] ?? 0) + 1 }
}
