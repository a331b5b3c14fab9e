/**
 * Time for logic. A transition is pure and has no clock; what it decides by time has to come with the event. A schema that is
 * stamped says that the shard adds its own time when the command is handled: the same for all callers, never earlier than
 * before, and part of the event, so that a journal gives the same state again.
 */
import { z } from 'zod'

/** What a stamped command has beside its input. */
export interface Stamp {
  /** The shard's wall time when the command was handled, in milliseconds since 1970; never less than that of an earlier one. */
  readonly at: number
}

const stampedSchemas = new WeakSet<object>()

/**
 * The schema of an input to which the shard adds `at`, the time at which the command is handled: in the event of a command, and
 * in the `input` of a reply function, also of a query. Callers do not give it. Take the outermost schema, or none for a command
 * without input. A turn cannot be stamped: it has a clock.
 */
export function stamped(): z.ZodType<Stamp, object>
export function stamped<Given extends object, Input extends object>(schema: z.ZodType<Input, Given>): z.ZodType<Input & Stamp, Given>
export function stamped(schema: z.ZodType<object, object> = z.object({})): z.ZodType {
  // A schema of its own, with the same checks: the one that was given stays as it is.
  const copy = schema.clone()
  stampedSchemas.add(copy)
  return copy
}

/** Whether the shard adds its time to what this schema takes. */
export function isStamped(schema: z.ZodType | undefined): boolean {
  return schema !== undefined && stampedSchemas.has(schema)
}
