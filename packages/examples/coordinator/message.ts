/**
 * The types that follow from an actor's commands: the events that its machine sees, and the messages that a sender may
 * write down before it knows how to send them. An actor lists its commands once; the rest is inferred.
 */

import type { z } from 'zod'

/** Commands as `command()` makes them, by name; only their input matters here. */
type Commands = Readonly<Record<string, (name: string) => { readonly input: z.ZodType | undefined }>>

type SchemaOf<Command extends Commands[string]> = NonNullable<ReturnType<Command>['input']>

/** The events of the machine that takes these commands: the command's name as type, its input as fields. */
export type EventOf<C extends Commands> = { [Name in keyof C & string]: { type: Name } & z.output<SchemaOf<C[Name]>> }[keyof C & string]

/** One of these commands with its input, not yet addressed to an actor. */
export type MessageOf<C extends Commands> = {
  [Name in keyof C & string]: { readonly command: Name; readonly input: z.input<SchemaOf<C[Name]>> }
}[keyof C & string]
