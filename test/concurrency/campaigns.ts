/** All campaigns. */
import type { Campaign } from './properties/campaign.ts'
import { closing } from './properties/closing.ts'
import { durability } from './properties/durability.ts'
import { effects } from './properties/effects.ts'
import { failures } from './properties/failures.ts'
import { idempotency } from './properties/idempotency.ts'
import { leases } from './properties/leases.ts'
import { messages } from './properties/messages.ts'
import { order } from './properties/order.ts'
import { timers } from './properties/timers.ts'
import { turns } from './properties/turns.ts'

/** Every property of the kernel that is searched for a schedule that breaks it. */
export const campaigns: readonly Campaign[] = [
  ...durability,
  ...messages,
  ...order,
  ...idempotency,
  ...timers,
  ...effects,
  ...leases,
  ...turns,
  ...failures,
  ...closing,
]
