/** G12, G13: bounds are named and hold; closing always comes to its end, and what was accepted is there at the next start. */
import { command, defineActor, query, turn } from '@bailiwick/kernel'
import type { CloseReport } from '@bailiwick/kernel'
import type { World } from '@bailiwick/testkit'
import { fromTransition } from 'xstate'
import { z } from 'zod'
import { allBut, carefully, claim, claimOnce, codeOf, eventually, near, once, perRun, settled, sometimes } from './campaign.ts'
import type { Campaign } from './campaign.ts'

interface Office {
  readonly world: World
  readonly must: Set<string>
  readonly may: Set<string>
  readonly reports: CloseReport[]
  readonly errors: string[]
}

const office = perRun<Office>((world) => ({ world, must: new Set(), may: new Set(), reports: [], errors: [] }))

const id = z.object({ id: z.string() })

const desk = defineActor({
  type: 'desk',
  module: import.meta.url,
  logic: fromTransition(
    (done: readonly string[], event: { readonly type: string; readonly id?: string }) =>
      event.id === undefined ? done : [...done, event.id],
    [],
  ),
  commands: {
    work: command({ input: id, reply: ({ context }) => context.length }),
    toil: turn({
      input: id,
      drainMs: 300,
      run: async ({ signal }) => {
        for (let step = 0; step < 5 && !signal.aborted; step += 1) await office.current.world.workFor(100)
        signal.throwIfAborted()
        return 'done'
      },
    }),
    /** Nobody ever answers it. */
    ponder: command({ reply: 'deferred' }),
    done: query({ reply: ({ context }) => context }),
  },
  mailbox: { capacity: 3 },
  idleMs: 2_000,
})

const MODES = ['polite', 'drain', 'now'] as const

async function close(world: World): Promise<void> {
  const { must, may, reports, errors } = office(world)
  const pondering: Promise<unknown>[] = []
  const workers = world.together(2, async (client, index) => {
    for (let step = 0; step < 3; step += 1) {
      const name = `${index}.${step}`
      const what = world.draw(`what ${index}`, 5)
      if (!world.keeps(name)) continue
      if (what === 4) {
        pondering.push(once(() => client.actor(desk, 'a').ask.ponder({}, { timeoutMs: 600_000 })))
        continue
      }
      if (what === 3) {
        await once(() => client.actor(desk, 'a').tell.toil({ id: name }))
        continue
      }
      may.add(name)
      const known = await carefully<unknown>(
        client,
        () => (what === 0 ? client.actor(desk, 'a').ask : client.actor(desk, 'a').tell).work({ id: name }, { idempotencyKey: name }),
        4,
      )
      if (known.how === 'answered') must.add(name)
    }
  })
  await world.sleep([0, 1, 50, 400][world.draw('when', 4)] ?? 0)
  const closers = world.together(2, async (client, index) => {
    const mode = MODES[world.draw(`mode ${index}`, 3)] ?? 'polite'
    const timeoutMs = [100, 2_000, 10_000][world.draw(`timeout ${index}`, 3)] ?? 2_000
    const begun = world.agenda.now
    try {
      let life = 0
      const report = await client.attempt((system) => {
        life = world.lives
        return system.close({ mode, timeoutMs })
      })
      if (life === 1) reports.push(report)
      // Threads have so long to end after the deadline; turns, and a thread that stands still, are waited for no longer.
      claim('G13 closing comes to its end in time', world.agenda.now - begun <= timeoutMs + 3_000 + 60_000, () => ({
        mode,
        timeoutMs,
        ms: world.agenda.now - begun,
      }))
    } catch (error) {
      if (error instanceof Error && error.name === 'ClaimBroken') throw error
      errors.push(codeOf(error))
    }
  })
  await closers
  world.crash()
  await world.restart()
  await workers
  await Promise.all(pondering)
}

async function nothingIsLost(world: World): Promise<void> {
  const { must, may, reports, errors } = office(world)
  claim(
    'G13 closing does not fail',
    errors.every((code) => code === 'PROCESS_KILLED'),
    errors,
  )
  const [first] = reports
  claim(
    'G13 closing twice gives one report',
    reports.every((report) => JSON.stringify(report) === JSON.stringify(first)),
    reports,
  )
  near(world, 'it was closed politely', first?.outcome === 'polite')
  near(world, 'it was closed by force', first?.outcome === 'forced')
  await settled(world)
  const done = await eventually(world, () => world.system.actor(desk, 'a').ask.done())
  claimOnce('G2 G13 what was accepted before the close', done, must, may)
}

/** More is sent to an actor that is held than it has room for. */
async function overflow(world: World): Promise<void> {
  const { must, may } = office(world)
  const operator = world.client('operator')
  const held = await once(() => operator.attempt((system) => system.quarantine.hold(desk, 'a', { reason: 'to fill its mailbox' })))
  const counts = { accepted: 0, full: 0, unknown: 0 }
  const senders = world.together(3, async (client, index) => {
    for (let step = 0; step < 2; step += 1) {
      const name = `${index}.${step}`
      const waitForRoomMs = world.draw(`wait ${index}`, 3) * 400
      if (!world.keeps(name)) continue
      may.add(name)
      const known = await once(() => client.actor(desk, 'a').tell.work({ id: name }, { waitForRoomMs }))
      if (known.how === 'answered') {
        must.add(name)
        counts.accepted += 1
      } else if (known.how === 'refused') {
        claim('G12 what finds no room is refused by name', known.code === 'MAILBOX_FULL', known)
        may.delete(name)
        counts.full += 1
      } else counts.unknown += 1
    }
  })
  await world.sleep(300)
  if (held.how === 'answered') claim('G12 a mailbox holds no more than its capacity', counts.accepted <= 3, counts)
  near(world, 'a mailbox was full', counts.full > 0)
  await carefully(operator, () => operator.attempt((system) => system.quarantine.release({})))
  await senders
  near(world, 'somebody waited for room and got it', counts.accepted > 3)
}

async function allThatFoundRoom(world: World): Promise<void> {
  const { must, may } = office(world)
  await settled(world)
  const done = await eventually(world, () => world.system.actor(desk, 'a').ask.done())
  claimOnce('G12 what found room', done, must, may)
}

/** The campaigns of this family. */
export const closing: readonly Campaign[] = [
  {
    name: 'G13 close() returns whatever happens, and loses nothing that was accepted',
    share: 4,
    options: {
      actors: [desk],
      scenario: close,
      check: nothingIsLost,
      faults: allBut('poison'),
      properties: sometimes('it was closed politely', 'it was closed by force'),
    },
  },
  {
    name: 'G13 … on two shards, where commits take time',
    share: 2,
    options: { actors: [desk], shards: 2, answers: 'later', scenario: close, check: nothingIsLost, faults: allBut('poison') },
  },
  {
    name: 'G12 a full mailbox refuses by name, holds its capacity and loses nothing',
    share: 8,
    options: {
      actors: [desk],
      scenario: overflow,
      check: allThatFoundRoom,
      faults: allBut('poison', 'duplicate-request', 'delayed-request'),
      properties: sometimes('a mailbox was full', 'somebody waited for room and got it'),
    },
  },
]
