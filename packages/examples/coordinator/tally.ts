/** What became of deliveries, in numbers. A tally of one stretch of the replay is added to that of all stretches before. */

import { z } from 'zod'

/** The numbers. Each delivery counts once, repeats apart; `commands` are those that the deliveries led to. */
export const tally = z.object({
  deliveries: z.number(),
  repeats: z.number(),
  dropped: z.record(z.string(), z.number()),
  refused: z.number(),
  commands: z.number(),
  rejected: z.number(),
})

export type Tally = z.output<typeof tally>

/** Nothing counted yet. */
export const emptyTally: Tally = { deliveries: 0, repeats: 0, dropped: {}, refused: 0, commands: 0, rejected: 0 }

/** Both tallies together. */
export function addTally(one: Tally, other: Tally): Tally {
  return {
    deliveries: one.deliveries + other.deliveries,
    repeats: one.repeats + other.repeats,
    dropped: addCounts(one.dropped, other.dropped),
    refused: one.refused + other.refused,
    commands: one.commands + other.commands,
    rejected: one.rejected + other.rejected,
  }
}

/** Both counts together, name by name. */
export function addCounts(one: Readonly<Record<string, number>>, other: Readonly<Record<string, number>>): Record<string, number> {
  const sum = { ...one }
  for (const [name, count] of Object.entries(other)) sum[name] = (sum[name] ?? 0) + count
  return sum
}

/** The same counts in the order of their names, so that equal counts are equal text. */
export function sortCounts(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).toSorted(([one], [other]) => (one < other ? -1 : 1)))
}
