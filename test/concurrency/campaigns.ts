/** All campaigns. */
import type { Campaign } from './properties/campaign.ts'
import { closing } from './properties/closing.ts'
import { durability } from './properties/durability.ts'
import { effects } from './properties/effects.ts'
import { failures } from './properties/failures.ts'
import { followers } from './properties/followers.ts'
import { idempotency } from './properties/idempotency.ts'
import { interruptions } from './properties/interruptions.ts'
import { later } from './properties/later.ts'
import { leases } from './properties/leases.ts'
import { messages } from './properties/messages.ts'
import { order } from './properties/order.ts'
import { overruns } from './properties/overruns.ts'
import { queues } from './properties/queues.ts'
import { restarts } from './properties/restarts.ts'
import { shutdown } from './properties/shutdown.ts'
import { timers } from './properties/timers.ts'
import { turns } from './properties/turns.ts'

/** Every property of the kernel that is searched for a schedule that breaks it. */
export const campaigns: readonly Campaign[] = [
  ...durability,
  ...followers,
  ...messages,
  ...order,
  ...later,
  ...idempotency,
  ...timers,
  ...restarts,
  ...effects,
  ...overruns,
  ...leases,
  ...queues,
  ...turns,
  ...interruptions,
  ...failures,
  ...closing,
  ...shutdown,
]
