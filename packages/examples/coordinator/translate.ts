/**
 * From a webhook delivery to commands: a pure and total function. It never throws, looks at no actor and no clock, and
 * answers the same delivery with the same commands for ever.
 *
 * - A recognised event becomes commands, each with the delivery's id as its idempotency key.
 * - An unknown event or action, or one that concerns no actor, is dropped with a reason, to be counted.
 * - A recognised event with a field missing or of the wrong type is refused, naming the field, so that the sender hears of it.
 *
 * Which event goes where stands in `routes.ts`, what a payload has to look like in `webhook.ts`.
 */

import { z } from 'zod'
import type { Command, DropReason } from './command.ts'
import { droppedEvents, routes } from './routes.ts'
import type { Route } from './routes.ts'

/** What GitHub says in the headers of a delivery, and the parsed JSON of its body. */
export interface Delivery {
  readonly id: string
  readonly event: string
  readonly payload: unknown
}

/** What a delivery means. */
export type Translation =
  | { readonly kind: 'commands'; readonly commands: readonly Command[] }
  | { readonly kind: 'dropped'; readonly reason: DropReason }
  | { readonly kind: 'refused'; readonly field: string; readonly message: string }

const withAction = z.object({ action: z.string() })

/** Translates one delivery. */
export function translate({ id, event, payload }: Delivery): Translation {
  const reason = droppedEvents.get(event)
  if (reason !== undefined) return { kind: 'dropped', reason }
  const found = routes.get(event)
  if (found === undefined) return { kind: 'dropped', reason: 'unknown event' }
  if (id === '') return { kind: 'refused', field: 'id', message: 'a delivery needs an id' }
  if (typeof found !== 'function') {
    const parsed = withAction.safeParse(payload)
    if (!parsed.success) return refusedFor(parsed.error)
    const route = found.get(parsed.data.action)
    return route === undefined ? { kind: 'dropped', reason: 'action without an actor' } : follow(route, payload, id)
  }
  return follow(found, payload, id)
}

function follow(route: Route, payload: unknown, idempotencyKey: string): Translation {
  const meaning = route(payload)
  if (meaning instanceof z.ZodError) return refusedFor(meaning)
  if (typeof meaning === 'string') return { kind: 'dropped', reason: meaning }
  return { kind: 'commands', commands: meaning.map((message) => ({ ...message, idempotencyKey })) }
}

function refusedFor(error: z.ZodError): Translation {
  const [issue] = error.issues
  return {
    kind: 'refused',
    field: issue === undefined || issue.path.length === 0 ? 'payload' : issue.path.join('.'),
    message: issue?.message ?? error.message,
  }
}
