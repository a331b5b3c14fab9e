/** The meter of one scope (an action, a pack, or everything): counts what was admitted, for rates and quotas. */
import { command, defineActor, stamped } from '@bailiwick/kernel'
import type { ActorDefinition, CommandBuilder, Stamp } from '@bailiwick/kernel'
import { fromTransition } from 'xstate'
import { z } from 'zod'
import { EMPTY_LOG, giveBack, take } from './meter-log.ts'
import type { MeterLog, Take, TakeAnswer } from './meter-log.ts'

const id = z.string().min(1).max(200)
const whole = z.int().min(0)
const ms = z.int().min(1)
const taken = stamped(
  z.object({
    id,
    rates: z.array(z.object({ max: whole, windowMs: ms })),
    quotas: z.array(z.object({ max: whole, periodMs: ms, units: whole })),
  }),
)
const givenBack = z.object({ id })

type MeterEvent = ({ readonly type: 'take' } & z.output<typeof taken>) | ({ readonly type: 'giveBack' } & z.output<typeof givenBack>)

interface MeterContext {
  readonly log: MeterLog
  /** What the last request has led to. */
  readonly answer: TakeAnswer | null
}

interface MeterCommands {
  readonly take: CommandBuilder<'command', Take, Take & Stamp, TakeAnswer, never>
  readonly giveBack: CommandBuilder<'command', { id: string }, { id: string }, undefined, never>
}

/** The definition of meters. */
export type MeterDefinition = ActorDefinition<string, { readonly context: MeterContext }, MeterCommands>

/** Defines the meters of an admission. */
export function defineMeter({ type, module }: { readonly type: string; readonly module: string }): MeterDefinition {
  const initial: MeterContext = { log: EMPTY_LOG, answer: null }
  const definition = defineActor({
    type,
    module,
    logic: fromTransition(next, initial),
    commands: {
      take: command({ input: taken, reply: ({ context }) => context.answer }),
      giveBack: command({ input: givenBack }),
    },
    persist: 'journal',
    journal: { snapshotEvery: 1_000 },
  })
  return definition as unknown as MeterDefinition // What an answer is computed from is nobody's business outside.
}

function next({ log, answer: before }: MeterContext, event: MeterEvent): MeterContext {
  if (event.type === 'giveBack') return { log: giveBack(log, event), answer: before }
  const { log: after, answer } = take(log, event, event.at)
  return { log: after, answer }
}
