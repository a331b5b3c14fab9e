/** G11: what fails touches nobody else, is held back when it fails too often, and is told once; dead letters are replayed once. */
import { command, defineActor, query, watch } from '@bailiwick/kernel'
import type { World } from '@bailiwick/testkit'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { allBut, carefully, claim, claimOnce, eventually, near, once, perRun, settled, sometimes } from './campaign.ts'
import type { Campaign } from './campaign.ts'

type PatientEvent = { readonly type: 'fail' | 'work'; readonly id: string } | { readonly type: 'shut' | 'open' }

const machine = setup({
  types: { context: {} as { readonly done: readonly string[] }, events: {} as PatientEvent },
  actions: { keep: assign({ done: ({ context, event }) => ('id' in event ? [...context.done, event.id] : context.done) }) },
}).createMachine({
  context: { done: [] },
  initial: 'open',
  on: {
    fail: {
      actions: [
        'keep',
        assign(() => {
          throw new Error('it was told to fail')
        }),
      ],
    },
    shut: '.shut',
    open: '.open',
  },
  states: { open: { on: { work: { actions: 'keep' } } }, shut: {} },
})

const FAILURES = 2
const id = z.object({ id: z.string() })

/** Fails when it is told to; twice in an hour, and then it is held back. */
const patient = defineActor({
  type: 'patient',
  module: import.meta.url,
  logic: machine,
  commands: {
    fail: command({ input: id }),
    work: command({ input: id, reply: ({ context }) => context.done.length }),
    shut: command({ priority: 'urgent' }),
    open: command({ priority: 'urgent' }),
    done: query({ reply: ({ context }) => context.done }),
  },
  supervision: { maxRestarts: FAILURES, withinMs: 3_600_000 },
  idleMs: 1_000,
})

type NurseEvent =
  | { readonly type: 'attend'; readonly to: string }
  | { readonly type: 'alarm'; readonly actor: string; readonly reason: string }

/** Watches patients. */
const nurse = defineActor({
  type: 'nurse',
  module: import.meta.url,
  logic: setup({
    types: { context: {} as { readonly alarms: readonly string[]; readonly attended: number }, events: {} as NurseEvent },
  }).createMachine({
    context: { alarms: [], attended: 0 },
    on: {
      attend: {
        actions: [
          assign({ attended: ({ context }) => context.attended + 1 }),
          watch(() => patient, { key: ({ event }) => event.to, event: 'alarm' }),
        ],
      },
      alarm: { actions: assign({ alarms: ({ context, event }) => [...context.alarms, `${event.actor} ${event.reason}`] }) },
    },
  }),
  commands: { attend: command({ input: z.object({ to: z.string() }) }), alarms: query({ reply: ({ context }) => context.alarms }) },
  idleMs: 1_000,
})

interface Ward {
  readonly must: Set<string>
  readonly may: Set<string>
  failures: number
  /** How many failures were known when something was answered as done. */
  worstAnswer: number
  isWatched: boolean
}

const ward = perRun<Ward>(() => ({ must: new Set(), may: new Set(), failures: 0, worstAnswer: 0, isWatched: false }))

async function failAndWork(world: World): Promise<void> {
  const seen = ward(world)
  const watching = world.together(1, async (client) => {
    const known = await carefully(client, () => client.actor(nurse, 'n').ask.attend({ to: 'sick' }, { idempotencyKey: 'attend' }))
    seen.isWatched = known.how === 'answered'
  })
  await world.together(3, async (client, index) => {
    for (let step = 0; step < 4; step += 1) {
      const what = world.draw(`what ${index}`, 3)
      if (!world.keeps(`${index}.${step}`)) continue
      const name = `${index}.${step}`
      if (what === 0) {
        const known = await once(() => client.actor(patient, 'sick').ask.fail({ id: `fail ${name}` }))
        claim('G4 what fails is not answered', known.how !== 'answered', known)
        if (known.how === 'refused' && known.code === 'COMMAND_FAILED') seen.failures += 1
        near(world, 'an actor was held back', known.how === 'refused' && known.code === 'ACTOR_QUARANTINED')
        continue
      }
      const key = what === 1 ? 'sick' : 'well'
      const before = seen.failures
      const call = () => client.actor(patient, key).ask.work({ id: `${key} ${name}` }, { idempotencyKey: name })
      seen.may.add(`${key} ${name}`)
      const known = await carefully(client, call)
      if (known.how === 'answered') seen.must.add(`${key} ${name}`)
      if (known.how === 'answered' && key === 'sick') seen.worstAnswer = Math.max(seen.worstAnswer, before)
      claim('G11 an actor that does not fail is not held back', key === 'sick' || known.how !== 'refused', known)
    }
  })
  await watching
}

async function failuresStay(world: World): Promise<void> {
  const seen = ward(world)
  const held = await eventually(world, () => world.system.quarantine.list())
  claim(
    'G11 an actor is held back when it has failed too often, and no other',
    held.every(({ key }) => key === 'sick') && (seen.failures <= FAILURES || held.length === 1),
    () => ({ held, failures: seen.failures }),
  )
  claim('G11 an actor fails as often as it may, and once more', seen.failures <= FAILURES + 1, seen.failures)
  claim('G11 an actor that is held back serves nothing', seen.worstAnswer <= FAILURES, seen.worstAnswer)
  await world.sleep(1_000)
  await world.rest()
  const alarms = await eventually(world, () => world.system.actor(nurse, 'n').ask.alarms())
  claim('G11 those who watch hear once', alarms.length <= 1 && (alarms.length === 1 || held.length === 0 || !seen.isWatched), () => ({
    alarms,
    held,
  }))
  near(world, 'a watch was told', alarms.length === 1)
  await settled(world)
  const all = [
    ...(await eventually(world, () => world.system.actor(patient, 'sick').ask.done())),
    ...(await eventually(world, () => world.system.actor(patient, 'well').ask.done())),
  ]
  claimOnce('G2 G11 what was answered, failures or not', all, seen.must, seen.may)
}

/** Tells are rejected by a shut actor; their letters are replayed by several at once. Without keys, nothing else keeps them from counting twice. */
async function bury(world: World, hasKeys: boolean): Promise<void> {
  const { must } = ward(world)
  const keeper = world.client('keeper')
  const shut = await carefully(keeper, () => keeper.actor(patient, 'well').ask.shut({}, { idempotencyKey: 'shut' }))
  await world.together(2, async (client, index) => {
    for (let step = 0; step < 2; step += 1) {
      const name = `${index}.${step}`
      if (!world.keeps(name)) continue
      const { tell } = client.actor(patient, 'well')
      const known = await (hasKeys
        ? carefully(client, () => tell.work({ id: name }, { idempotencyKey: name }))
        : once(() => tell.work({ id: name })))
      if (known.how === 'answered') must.add(name)
    }
  })
  const opening = carefully(keeper, () => keeper.actor(patient, 'well').ask.open({}, { idempotencyKey: 'open' }))
  await world.together(2, async (client) => {
    const known = await once(() => client.attempt((system) => system.deadLetters.replay({ type: 'patient' })))
    near(world, 'a letter was replayed', known.how === 'answered' && known.value > 0 && shut.how === 'answered')
  })
  await opening
}

async function replayedOnce(world: World): Promise<void> {
  const { must } = ward(world)
  await settled(world)
  await eventually(world, () => world.system.actor(patient, 'well').ask.open())
  for (let tries = 0; tries < 5; tries += 1) {
    await world.rest()
    await eventually(world, () => world.system.deadLetters.replay({ type: 'patient' }))
  }
  await world.rest()
  const done = await eventually(world, () => world.system.actor(patient, 'well').ask.done())
  const sent = ['0.0', '0.1', '1.0', '1.1']
  claimOnce('G3 a tell that was rejected and replayed', done, must, sent)
}

/** A stored command that may end the threads that handle it. */
async function tellPoison(world: World): Promise<void> {
  const { must, may } = ward(world)
  const keeper = world.client('keeper')
  // What waits for one that is held back is stored before it is handled.
  await once(() => keeper.attempt((system) => system.quarantine.hold(patient, 'well', { reason: 'so that it is stored' })))
  may.add('told')
  const known = await once(() => keeper.actor(patient, 'well').tell.work({ id: 'told' }))
  if (known.how === 'answered') must.add('told')
  await once(() => keeper.attempt((system) => system.quarantine.release({})))
  await world.sleep(60_000)
  const threads = world.system.stats().perShard.map(({ thread }) => thread)
  // An initial state that ends threads does so for whoever comes.
  const isOfCommand = world.strikes.every(({ whom }) => !whom.includes('initial state'))
  claim('G11 no thread is given up for one stored command', !isOfCommand || !threads.includes('abandoned'), threads)
}

async function noThreadWasGivenUp(world: World): Promise<void> {
  const { must, may } = ward(world)
  const letters = await eventually(world, () => world.system.deadLetters.list())
  await settled(world)
  const done = await eventually(world, () => world.system.actor(patient, 'well').ask.done())
  const buried = letters.map(({ input }) => (input as { readonly id: string }).id) // As it was told.
  claimOnce('G3 G11 a tell is handled or a dead letter', [...done, ...buried], must, may)
  near(world, 'a command was poison', buried.length > 0)
}

/** The campaigns of this family. */
export const failures: readonly Campaign[] = [
  {
    name: 'G11 an actor that fails is held back after its limit, others go on, and those who watch hear once',
    share: 1.2,
    options: {
      actors: [patient, nurse],
      scenario: failAndWork,
      check: failuresStay,
      faults: allBut('poison', 'clock-jump'),
      properties: sometimes('an actor was held back', 'a watch was told'),
    },
  },
  {
    name: 'G11 … on two shards',
    share: 0.9,
    options: {
      actors: [patient, nurse],
      shards: 2,
      scenario: failAndWork,
      check: failuresStay,
      faults: allBut('poison', 'clock-jump'),
      properties: sometimes('an actor was held back', 'a watch was told'),
    },
  },
  {
    name: 'G3 G11 a dead letter that is replayed is handled once',
    share: 3,
    options: {
      actors: [patient],
      scenario: (world) => bury(world, true),
      check: replayedOnce,
      faults: 'all',
      properties: sometimes('a letter was replayed'),
    },
  },
  {
    name: 'G3 G11 … also without a key',
    share: 1.6,
    options: {
      actors: [patient],
      scenario: (world) => bury(world, false),
      check: replayedOnce,
      faults: allBut('duplicate-request'),
      properties: sometimes('a letter was replayed'),
    },
  },
  {
    name: 'G11 … and no thread is given up for one command',
    share: 0.5,
    options: {
      actors: [patient],
      scenario: tellPoison,
      check: noThreadWasGivenUp,
      maxFaults: 1,
      faults: ['poison'],
      // A stored command is known after its second death.
      open: { supervision: { threads: { maxRestarts: 2 } } },
      properties: sometimes('a command was poison'),
    },
  },
]
