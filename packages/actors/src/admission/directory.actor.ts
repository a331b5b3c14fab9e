/** The directory of one scope: which groups have been used, so that figures can be summed over all of them. */
import { command, defineActor, query } from '@bailiwick/kernel'
import type { ActorDefinition, CommandBuilder, NoInput } from '@bailiwick/kernel'
import { fromTransition } from 'xstate'
import { z } from 'zod'

/** What a directory answers. */
export interface Groups {
  readonly groups: readonly string[]
  /** False if there were more than a directory holds. */
  readonly isComplete: boolean
}

interface DirectoryCommands {
  readonly add: CommandBuilder<'command', { group: string }, { group: string }, undefined, never>
  readonly list: CommandBuilder<'query', NoInput, NoInput, Groups, never>
}

/** The definition of directories. */
export type DirectoryDefinition = ActorDefinition<string, { readonly context: Groups }, DirectoryCommands>

/** How many groups a directory holds; more are not found when figures are summed. */
const GROUPS_MAX = 10_000

const entry = z.object({ group: z.string() })

/** Defines the directories of an admission. */
export function defineDirectory({ type, module }: { readonly type: string; readonly module: string }): DirectoryDefinition {
  return defineActor({
    type,
    module,
    logic: fromTransition(add, { groups: [], isComplete: true }),
    commands: {
      add: command({ input: entry }),
      list: query({ reply: ({ context }) => context }),
    },
  })
}

function add(state: Groups, { group }: { readonly type: 'add'; readonly group: string }): Groups {
  if (state.groups.includes(group)) return state
  return state.groups.length < GROUPS_MAX ? { ...state, groups: [...state.groups, group] } : { ...state, isComplete: false }
}
