/** What may happen to messages between shards on their way through the caller. */
import { ToShard } from '@bailiwick/kernel/seams'
import { lengthOf } from './fault-plan.ts'
import type { PlannedFault } from './tape.ts'

/** Strikes what one shard sends to another in a text, if a fault is due. Answers what arrives at once; the rest comes late, or never. */
export function strikeMessage(
  text: string,
  strike: () => PlannedFault | undefined,
  late: (text: string, ms: number) => void,
): string | undefined {
  if (!text.includes(`[${ToShard.post},`)) return text
  const messages = JSON.parse(text) as readonly (readonly unknown[])[] // Tuples of the kernel's own protocol.
  const posts = messages.filter(([tag]) => tag === ToShard.post)
  const fault = posts.length === 0 ? undefined : strike()
  if (fault === undefined) return text
  if (fault.kind !== 'lost-message') late(JSON.stringify(posts), lengthOf(fault))
  if (fault.kind === 'duplicate-message') return text
  const others = messages.filter(([tag]) => tag !== ToShard.post)
  return others.length === 0 ? undefined : JSON.stringify(others)
}
