/** G5, G6: commands of one sender, in the order sent; urgency, with its bound. */
import { command, defineActor, postpone, query } from '@bailiwick/kernel'
import type { StarvationEvent, World } from '@bailiwick/testkit'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { allBut, carefully, claim, eventually, near, once, perRun, settled, sometimes } from './campaign.ts'
import type { Campaign } from './campaign.ts'
import { checkStarvation } from '@bailiwick/testkit'

const LANES = ['urgent', 'high', 'normal', 'low'] as const
const note = z.object({ stream: z.string(), n: z.number() })

type Note = z.infer<typeof note>

const machine = setup({
  types: {
    context: {} as { readonly notes: readonly Note[] },
    events: {} as ({ readonly type: 'note' } & Note) | { readonly type: 'shut' | 'open' },
  },
  actions: {
    keep: assign({
      notes: ({ context, event }) => (event.type === 'note' ? [...context.notes, { stream: event.stream, n: event.n }] : context.notes),
    }),
  },
}).createMachine({
  context: { notes: [] },
  initial: 'open',
  on: { shut: '.shut', open: '.open' },
  states: { open: { on: { note: { actions: 'keep' } } }, shut: { on: { note: { actions: postpone() } } } },
})

const commands = {
  note: command({ input: note, reply: ({ input }: { readonly input: Note }) => input.n }),
  shut: command({ priority: 'urgent' as const }),
  open: command({ priority: 'urgent' as const }),
}

/** Notes what it gets, in order; while it is shut, notes wait. */
const clerk = defineActor({
  type: 'clerk',
  module: import.meta.url,
  logic: machine,
  commands: { ...commands, notes: query({ reply: ({ context }) => context.notes }) },
  idleMs: 300,
})

/** The same, whose lanes are overtaken twice at most. */
const patient = defineActor({
  type: 'patient',
  module: import.meta.url,
  logic: machine,
  commands: { ...commands, notes: query({ reply: ({ context }) => context.notes }) },
  mailbox: { starvationBound: 2 },
})

interface Sent {
  /** What must have been noted: what was answered. */
  readonly must: Set<string>
  /** Told and accepted: noted, or a dead letter. */
  readonly accepted: Set<string>
  /** What queries saw: the stream, their own place in it, and the notes. */
  readonly looks: { readonly stream: string; readonly n: number; readonly notes: readonly Note[] }[]
}

const sent = perRun<Sent>(() => ({ must: new Set(), accepted: new Set(), looks: [] }))

/** Clients send without waiting for answers, in two lanes, in every way. */
async function burst(world: World, isShut: boolean): Promise<void> {
  const { must, accepted, looks } = sent(world)
  await world.together(2, async (client, index) => {
    const actor = client.actor(clerk, 'a')
    const hasKey = isShut && index === 0
    if (hasKey) await carefully(client, () => actor.ask.shut({}, { idempotencyKey: 'shut' }))
    const counts = new Map<string, number>()
    const steps = 3 + world.draw(`steps ${index}`, 4)
    const under: Promise<void>[] = []
    for (let step = 0; step < steps; step += 1) {
      const lane = LANES[world.draw(`lane ${index}`, 2) * 2] ?? 'normal'
      const stream = `${index} ${lane}`
      const n = (counts.get(stream) ?? 0) + 1
      counts.set(stream, n)
      const what = world.draw(`what ${index}`, 5)
      if (!world.keeps(`${index}.${step}`)) continue
      if (what <= 1)
        under.push(
          once(() => actor.tell.note({ stream, n }, { priority: lane })).then(
            (known) => void (known.how === 'answered' && accepted.add(`${stream} ${n}`)),
          ),
        )
      else if (what <= 3)
        under.push(
          once(() => actor.ask.note({ stream, n }, { priority: lane })).then(
            (known) => void (known.how === 'answered' && must.add(`${stream} ${n}`)),
          ),
        )
      else
        under.push(
          once(() => actor.ask.notes({}, { priority: lane })).then(
            (known) => void (known.how === 'answered' && looks.push({ stream, n, notes: known.value })),
          ),
        )
      if (world.draw(`rest ${index}`, 4) === 3) await client.sleep(400)
    }
    if (hasKey) {
      await client.sleep(100)
      await carefully(client, () => actor.ask.open({}, { idempotencyKey: 'open' }))
    }
    await Promise.all(under)
  })
}

/** What is told to an actor that is held waits in the store; then it is handled at once, in a batch that may fail. */
async function handleAtOnce(world: World): Promise<void> {
  const { accepted } = sent(world)
  const operator = world.client('operator')
  await once(() => operator.attempt((system) => system.quarantine.hold(clerk, 'a', { reason: 'so that notes wait' })))
  await world.together(2, async (client, index) => {
    const { tell } = client.actor(clerk, 'a')
    const under: Promise<unknown>[] = []
    for (let n = 1; n <= 4; n += 1) {
      const stream = String(index)
      if (!world.keeps(`${index}.${n}`)) continue
      under.push(once(() => tell.note({ stream, n })).then((known) => known.how === 'answered' && accepted.add(`${stream} ${n}`)))
    }
    await Promise.all(under)
  })
  await once(() => operator.attempt((system) => system.quarantine.release({})))
}

async function inOrder(world: World): Promise<void> {
  const { must, accepted, looks } = sent(world)
  await settled(world)
  await eventually(world, () => world.system.actor(clerk, 'a').ask.open())
  await world.rest()
  const notes = await eventually(world, () => world.system.actor(clerk, 'a').ask.notes())
  const letters = await eventually(world, () => world.system.deadLetters.list())
  const latest = new Map<string, number>()
  for (const { stream, n } of notes) {
    claim('G5 commands of one sender and lane are handled in the order sent, once', n > (latest.get(stream) ?? 0), () => notes)
    latest.set(stream, n)
  }
  const noted = new Set(notes.map(({ stream, n }) => `${stream} ${n}`))
  for (const name of must) claim('G2 what was answered has been noted', noted.has(name), name)
  const dead = new Set(letters.map(({ input }) => `${(input as Note).stream} ${(input as Note).n}`))
  for (const name of accepted)
    claim('G2 what was accepted is noted or a dead letter', noted.has(name) !== dead.has(name), () => ({
      name,
      noted: noted.has(name),
      dead: dead.has(name),
    }))
  for (const look of looks) {
    const before = notes.filter(({ stream, n }) => stream === look.stream && n < look.n).length
    const seen = look.notes.filter(({ stream }) => stream === look.stream)
    claim(
      'G5 a query sees what was sent before it in its lane, and nothing that was sent after it',
      seen.length === before && seen.every(({ n }) => n < look.n),
      () => ({ look, notes }),
    )
  }
  near(world, 'a query looked', looks.length > 0)
  near(world, 'an actor left memory and came back', world.system.stats().passivations > 0)
}

const waits = perRun<StarvationEvent[]>(() => [])

/** Commands of all lanes are kept for an actor that is held; then it is released, and more come. */
async function pileUp(world: World): Promise<void> {
  const events = waits(world)
  const operator = world.client('operator')
  const held = await once(() => operator.attempt((system) => system.quarantine.hold(patient, 'a', { reason: 'to fill its mailbox' })))
  await world.together(2, async (client, index) => {
    const under: Promise<void>[] = []
    for (let step = 0; step < 6; step += 1) {
      const lane = world.draw(`lane ${index}`, 4)
      if (!world.keeps(`${index}.${step}`)) continue
      const id = `${index} ${step}`
      under.push(
        once(() => client.actor(patient, 'a').tell.note({ stream: id, n: lane }, { priority: LANES[lane] ?? 'low' })).then((known) => {
          if (known.how === 'answered') events.push({ type: 'waits', mailbox: 'a', id, lane })
        }),
      )
    }
    await Promise.all(under)
  })
  if (held.how !== 'answered') events.length = 0
  // Without any, what waited is handled in an exact order.
  const hasLate = world.draw('late', 2) === 0
  const late = world.together(1, async (client) => {
    if (!hasLate) return
    for (let step = 0; step < 4; step += 1) {
      const lane = world.draw('late lane', 2)
      await once(() => client.actor(patient, 'a').tell.note({ stream: `late ${step}`, n: lane }, { priority: LANES[lane] ?? 'low' }))
    }
  })
  await carefully(operator, () => operator.attempt((system) => system.quarantine.release({ definition: patient, key: 'a' })))
  await late
}

async function nobodyStarves(world: World): Promise<void> {
  const events = waits(world)
  await eventually(world, () => world.system.quarantine.release({ definition: patient, key: 'a' }))
  await world.rest()
  const notes = await eventually(world, () => world.system.actor(patient, 'a').ask.notes())
  const served = notes.map(({ stream, n }): StarvationEvent => ({ type: 'served', mailbox: 'a', id: stream, lane: n }))
  const verdict = checkStarvation([...events, ...served], { bound: 2 })
  claim('G6 a lane is overtaken a published number of times at most', verdict.ok, () => ({ verdict, events, served }))
  near(world, 'a lane was overtaken as often as it may be', verdict.overtakenMax === 2)
  // Of what waited when it was released, more urgent goes first unless a lane is due: with what came later left out.
  const waiting = new Set(events.map((event) => event.id))
  const exact = checkStarvation([...events, ...served.filter(({ id }) => waiting.has(id))], { bound: 2, exact: true })
  const hasLate = served.some(({ id }) => !waiting.has(id))
  claim('G6 the more urgent goes first', hasLate || exact.ok, () => ({ exact, events, served }))
}

/** The campaigns of this family. */
export const order: readonly Campaign[] = [
  {
    name: 'G5 asks, tells and queries of one sender keep their order in a lane',
    share: 6,
    options: {
      actors: [clerk],
      scenario: (world) => burst(world, false),
      check: inOrder,
      faults: allBut('delayed-request', 'duplicate-request'),
      properties: sometimes('a query looked', 'an actor left memory and came back'),
    },
  },
  {
    name: 'G5 … also where they are postponed',
    share: 9,
    options: {
      actors: [clerk],
      scenario: (world) => burst(world, true),
      check: inOrder,
      faults: allBut('delayed-request', 'duplicate-request', 'poison'),
      properties: sometimes('a query looked'),
    },
  },
  {
    name: 'G5 … where commits take time',
    share: 6,
    options: {
      actors: [clerk],
      scenario: (world) => burst(world, false),
      check: inOrder,
      answers: 'later',
      faults: allBut('delayed-request', 'duplicate-request'),
    },
  },
  {
    name: 'G5 … where batches of many commands fail',
    share: 8,
    options: {
      actors: [clerk],
      scenario: handleAtOnce,
      check: inOrder,
      batchCommands: 8,
      maxFaults: 4,
      faults: ['disk-full', 'disk-busy'],
    },
  },
  {
    name: 'G6 the head of a lane is overtaken a bounded number of times, and the more urgent goes first',
    share: 6.4,
    options: {
      actors: [patient],
      scenario: pileUp,
      check: nobodyStarves,
      faults: ['pause', 'stall', 'slow-consumer', 'delayed-request', 'lost-request'],
      properties: sometimes('a lane was overtaken as often as it may be'),
    },
  },
]
