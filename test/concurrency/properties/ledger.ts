/** A ledger: entries that are added, in every way in which an actor can be kept. Commands of it fail in every way there is. */
import { command, defineActor, query } from '@bailiwick/kernel'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { perRun } from './campaign.ts'

/** What an outsider has seen of ledgers: ids of entries. */
export interface Witness {
  /** Ids that actions, children, replies, changes or snapshots have shown. */
  readonly seen: Set<string>
  readonly acted: string[]
}

/** Who sees what ledgers show. */
export const witness = perRun<Witness>(() => ({ seen: new Set(), acted: [] }))

type LedgerEvent = { readonly type: 'add' | 'spoil' | 'choke' | 'refuse' | 'meddle' | 'mumble'; readonly id: string }

interface Context {
  readonly entries: readonly string[]
}

const machine = setup({
  types: { context: {} as Context, events: {} as LedgerEvent },
  actions: {
    add: assign({ entries: ({ context, event }) => [...context.entries, event.id] }),
    show: ({ event }) => {
      const { seen, acted } = witness.current
      seen.add(event.id)
      acted.push(event.id)
    },
  },
}).createMachine({
  context: { entries: [] },
  on: {
    add: { actions: ['add', 'show'] },
    mumble: { actions: ['add', 'show'] },
    // Everything below changes nothing, whatever it had done before it failed.
    spoil: {
      actions: [
        'add',
        'show',
        assign(() => {
          throw new Error('it was told to fail')
        }),
      ],
    },
    choke: { actions: ['show', assign(({ event }) => ({ entries: [event.id, new Map()] as unknown as string[] }))] }, // What JSON cannot carry.
    refuse: { guard: () => false, actions: 'add' },
    meddle: {
      actions: [
        'show',
        assign(({ context, event }) => {
          ;(context.entries as string[]).push(event.id) // What the rules forbid.
          return {}
        }),
      ],
    },
  },
})

const input = z.object({ id: z.string() })

function ledgerOf<const Type extends string>(
  type: Type,
  how: { readonly persist?: 'snapshot' | 'journal'; readonly volatile?: true; readonly idleMs: number },
) {
  return defineActor({
    type,
    module: import.meta.url,
    logic: machine,
    commands: {
      add: command({ input, reply: ({ context }) => context.entries.length }),
      spoil: command({ input }),
      choke: command({ input }),
      refuse: command({ input }),
      meddle: command({ input }),
      /** Its reply throws: so it has no effect. */
      mumble: command({
        input,
        reply: (): number => {
          throw new Error('no words')
        },
      }),
      entries: query({ reply: ({ context }) => context.entries }),
    },
    ...(how.persist === 'journal' ? { persist: 'journal' as const, journal: { snapshotEvery: 2 } } : {}),
    ...(how.volatile === undefined ? {} : { volatile: true }),
    idleMs: how.idleMs,
  })
}

/** Kept as a snapshot. */
export const ledger = ledgerOf('ledger', { idleMs: 60_000 })
/** Kept as a journal, with a snapshot every two events; leaves memory soon. */
export const journal = ledgerOf('journal', { persist: 'journal', idleMs: 500 })
/** Kept as a snapshot; leaves memory at once. */
export const fleeting = ledgerOf('fleeting', { idleMs: 0 })
/** Not kept. */
export const slate = ledgerOf('slate', { volatile: true, idleMs: 3_600_000 })
