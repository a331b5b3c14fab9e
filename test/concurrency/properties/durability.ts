/** G1, G2, G4, G8: what was acknowledged or seen is there after whatever strikes, once and whole; what failed has changed nothing. */
import type { World, SimulationOptions } from '@bailiwick/testkit'
import { allBut, carefully, claim, claimOnce, eventually, near, once, perRun, settled, sometimes } from './campaign.ts'
import type { Campaign } from './campaign.ts'
import { Calls, linearizable } from './calls.ts'
import { fleeting, journal, ledger, slate, witness } from './ledger.ts'

type Ledger = typeof ledger | typeof journal | typeof fleeting

const KEYS = ['a', 'b'] as const
const FAILING = ['spoil', 'choke', 'refuse', 'meddle', 'mumble'] as const

interface Sent {
  readonly calls: Calls
  readonly must: Set<string>
  readonly may: Set<string>
}

const sent = perRun<Sent>(() => ({ calls: new Calls(), must: new Set(), may: new Set() }))

/** Clients add entries under keys of their own, each until it is answered, and read in between. */
async function addAndRead(world: World, kind: Ledger, clients: number): Promise<void> {
  const { calls, must, may } = sent(world)
  witness(world)
  await world.together(clients, async (client, index) => {
    const steps = 1 + world.draw(`steps ${index}`, 3)
    for (let step = 0; step < steps; step += 1) {
      if (!world.keeps(`${index}.${step}`)) continue
      const key = KEYS[world.draw(`key ${index}`, 2)] ?? 'a'
      const actor = client.actor(kind as typeof ledger, key)
      const id = `${key}${index}.${step}`
      const what = world.draw(`what ${index}`, 4)
      if (what === 3) {
        await calls.call(key, 'entries', undefined, () => once(() => actor.ask.entries()))
        continue
      }
      may.add(id)
      const known = await calls.call(key, 'add', id, () => carefully(client, () => actor.ask.add({ id }, { idempotencyKey: id })))
      if (known.how === 'answered') must.add(id)
    }
  })
}

async function allIsThere(world: World, kind: Ledger): Promise<void> {
  const { calls, must, may } = sent(world)
  const { seen, acted } = witness(world)
  await settled(world)
  const all: string[] = []
  for (const key of KEYS) {
    const entries = await eventually(world, () => world.system.actor(kind as typeof ledger, key).ask.entries())
    calls.ok(key, 'entries', undefined, entries)
    all.push(...entries)
  }
  claimOnce('G2 G3 an acknowledged entry', all, must, may)
  const there = new Set(all)
  for (const id of seen) claim('G1 nothing is seen before it is on disk', there.has(id), id)
  claim('G1 an action runs at most once', new Set(acted).size === acted.length, acted)
  linearizable(world, calls, {
    initial: [] as readonly string[],
    reduce: (state, { f, input }) => (f === 'add' ? added(state, String(input)) : { state, output: state }),
  })
  near(world, 'the process was started again', world.lives > 1)
  near(world, 'a repeat was answered from the record', world.system.stats().replayed > 0)
}

function added(state: readonly string[], id: string): { readonly state: readonly string[]; readonly output: number } {
  return { state: [...state, id], output: state.length + 1 }
}

function survives(kind: Ledger, clients = 3): Pick<SimulationOptions, 'actors' | 'scenario' | 'check' | 'properties'> {
  return {
    actors: [kind],
    scenario: (world) => addAndRead(world, kind, clients),
    check: (world) => allIsThere(world, kind),
    properties: sometimes('the process was started again', 'a repeat was answered from the record'),
  }
}

/** Each entry is added twice under its key: the second time after whatever may have taken the first one back. */
async function addAgain(world: World): Promise<void> {
  const { may } = sent(world)
  witness(world)
  await world.together(2, async (client, index) => {
    for (let step = 0; step < 3; step += 1) {
      if (!world.keeps(`${index}.${step}`)) continue
      const key = KEYS[world.draw(`key ${index}`, 2)] ?? 'a'
      const id = `${key}${index}.${step}`
      may.add(id)
      for (let time = 0; time < 2; time += 1)
        await carefully(client, () => client.actor(ledger, key).ask.add({ id }, { idempotencyKey: id }))
    }
  })
}

/** Nothing is said of what is lost: but a commit is lost as a whole, with its record of the key. */
async function nothingIsThereTwice(world: World): Promise<void> {
  const { may } = sent(world)
  await settled(world)
  const all: string[] = []
  for (const key of KEYS) all.push(...(await eventually(world, () => world.system.actor(ledger, key).ask.entries())))
  claimOnce('G3 an entry of a system that may lose commits', all, [], may)
  near(world, 'a commit was lost', all.length < may.size)
}

/** Commands that fail in every way, between others that do not. */
async function failInBetween(world: World): Promise<void> {
  const { calls, must, may } = sent(world)
  witness(world)
  await world.together(2, async (client, index) => {
    const steps = 2 + world.draw(`steps ${index}`, 3)
    for (let step = 0; step < steps; step += 1) {
      if (!world.keeps(`${index}.${step}`)) continue
      const key = KEYS[world.draw(`key ${index}`, 2)] ?? 'a'
      const kind = world.draw('kind', 2) === 0 ? ledger : (journal as unknown as typeof ledger) // Of the same commands.
      const actor = client.actor(kind, key)
      const id = `${kind.type} ${key}${index}.${step}`
      const how = FAILING[world.draw(`how ${index}`, 8)]
      if (how === undefined) {
        may.add(id)
        const known = await calls.call(`${kind.type} ${key}`, 'add', id, () =>
          carefully(client, () => actor.ask.add({ id }, { idempotencyKey: id })),
        )
        if (known.how === 'answered') must.add(id)
        continue
      }
      const known = await once(() => actor.ask[how]({ id }))
      claim('G4 a command that fails is not answered as if it had not', known.how !== 'answered', how)
      near(world, `a command did ${how}`, known.how === 'refused')
    }
  })
}

async function nothingElseIsThere(world: World): Promise<void> {
  const { calls, must, may } = sent(world)
  await settled(world)
  const all: string[] = []
  for (const kind of [ledger, journal as unknown as typeof ledger]) {
    for (const key of KEYS) {
      const entries = await eventually(world, () => world.system.actor(kind, key).ask.entries())
      calls.ok(`${kind.type} ${key}`, 'entries', undefined, entries)
      all.push(...entries)
    }
  }
  claimOnce('G4 what failed has changed nothing', all, must, may)
  for (const id of witness(world).seen) claim('G1 an action of what failed does not run', all.includes(id), id)
  linearizable(world, calls, {
    initial: [] as readonly string[],
    reduce: (state, { f, input }) => (f === 'add' ? added(state, String(input)) : { state, output: state }),
  })
}

/** A volatile actor keeps nothing: but while nothing ends its thread, it handles each command once, in one order. */
async function addToSlate(world: World): Promise<void> {
  const { calls, must, may } = sent(world)
  witness(world)
  await world.together(3, async (client, index) => {
    const actor = client.actor(slate, 'a')
    for (let step = 0; step < 2; step += 1) {
      if (!world.keeps(`${index}.${step}`)) continue
      const id = `a${index}.${step}`
      may.add(id)
      const known = await calls.call('a', 'add', id, () => once(() => actor.ask.add({ id })))
      if (known.how === 'answered') must.add(id)
    }
  })
}

async function slateIsWhole(world: World): Promise<void> {
  const { calls, must, may } = sent(world)
  const entries = await world.system.actor(slate, 'a').ask.entries()
  calls.ok('a', 'entries', undefined, entries)
  claimOnce('G4 a command of a volatile actor', entries, must, may)
  linearizable(world, calls, {
    initial: [] as readonly string[],
    reduce: (state, { f, input }) => (f === 'add' ? added(state, String(input)) : { state, output: state }),
  })
}

/** The campaigns of this family. */
export const durability: readonly Campaign[] = [
  {
    name: 'G1 G2 G3 what is acknowledged or seen survives, once, whatever strikes',
    share: 2.8,
    options: { ...survives(ledger), faults: allBut('clock-jump') },
  },
  { name: 'G1 G2 G3 … on two shards', share: 4, options: { ...survives(ledger), shards: 2, faults: 'all' } },
  { name: 'G1 G2 G3 … for a journal that leaves memory', share: 1.2, options: { ...survives(journal), faults: 'all' } },
  {
    name: 'G1 G2 G3 … for actors that leave memory at once',
    share: 1,
    options: { ...survives(fleeting), faults: 'all', open: { limits: { residentActors: 1 } } },
  },
  { name: 'G1 G2 G3 … where commits take time', share: 3, options: { ...survives(ledger), answers: 'later', faults: 'all' } },
  {
    name: 'G2 what is acknowledged survives threads also with synchronous normal',
    share: 6,
    options: {
      ...survives(ledger),
      properties: [],
      synchronous: 'normal',
      open: { supervision: { threads: { maxRestarts: 1_000 } } },
      faults: allBut('process-kill', 'process-kill-at-commit', 'torn-write'),
    },
  },
  {
    name: 'G3 what synchronous normal loses it loses whole',
    share: 6.4,
    options: {
      actors: [ledger],
      scenario: addAgain,
      check: nothingIsThereTwice,
      synchronous: 'normal',
      maxFaults: 4,
      faults: ['torn-write', 'process-kill'],
      properties: sometimes('a commit was lost'),
    },
  },
  {
    name: 'G1 G2 G3 … on SQLite files',
    share: 0.02,
    options: { ...survives(ledger), properties: [], disk: 'sqlite', auditEvery: 0, faults: 'all' },
  },
  {
    name: 'G8 an owner that was replaced while it stood still changes nothing',
    share: 3,
    options: {
      ...survives(ledger, 4),
      properties: [],
      answers: 'later',
      maxFaults: 4,
      faults: ['paused-owner', 'pause', 'thread-kill', 'slow-consumer', 'stall'],
    },
  },
  {
    name: 'G8 … also if it meets an I/O error',
    share: 3.2,
    options: { ...survives(ledger), properties: [], maxFaults: 4, faults: ['paused-owner', 'io-error'] },
  },
  {
    name: 'G4 what throws, is rejected or cannot be kept changes nothing, and is not seen',
    share: 1.2,
    options: {
      actors: [ledger, journal],
      scenario: failInBetween,
      check: nothingElseIsThere,
      faults: 'all',
      properties: sometimes(...FAILING.map((how) => `a command did ${how}`)),
    },
  },
  {
    name: 'G4 commands of a volatile actor are handled once, in one order',
    share: 80,
    options: {
      actors: [slate],
      scenario: addToSlate,
      check: slateIsWhole,
      faults: ['disk-full', 'disk-busy', 'pause', 'stall', 'slow-consumer', 'lost-request', 'lost-reply', 'delayed-request'],
    },
  },
]
