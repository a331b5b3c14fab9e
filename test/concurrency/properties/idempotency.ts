/** G3: exactly once with a key: one effect, one answer, whoever asks, however often; edits under a natural key. */
import { command, defineActor, query, reply, setTimer } from '@bailiwick/kernel'
import type { World } from '@bailiwick/testkit'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { allBut, carefully, claim, eventually, near, once, perRun, settled, sometimes } from './campaign.ts'
import type { Campaign } from './campaign.ts'

type TillEvent =
  | { readonly type: 'pay' | 'order'; readonly id: string }
  | { readonly type: 'ready' }
  | { readonly type: 'hear'; readonly thing: string; readonly version: number }

interface Context {
  readonly paid: readonly string[]
  readonly ordered: readonly string[]
  readonly heard: readonly { readonly thing: string; readonly version: number }[]
  readonly served: number
}

const machine = setup({ types: { context: {} as Context, events: {} as TillEvent } }).createMachine({
  context: { paid: [], ordered: [], heard: [], served: 0 },
  on: {
    pay: { actions: assign({ paid: ({ context, event }) => [...context.paid, event.id] }) },
    order: {
      actions: [
        assign({ ordered: ({ context, event }) => [...context.ordered, event.id] }),
        setTimer('ready', { delayMs: 50, event: 'ready' }),
      ],
    },
    ready: {
      actions: [
        assign({ served: ({ context }) => context.served + 1 }),
        reply(({ context }) => `round ${context.served} of ${context.ordered.length}`, { command: 'order', all: true }),
      ],
    },
    hear: { actions: assign({ heard: ({ context, event: { thing, version } }) => [...context.heard, { thing, version }] }) },
  },
})

const id = z.object({ id: z.string() })

function tillOf<const Type extends string>(type: Type, persist: 'snapshot' | 'journal') {
  return defineActor({
    type,
    module: import.meta.url,
    logic: machine,
    commands: {
      /** Its answer is another one each time: a recorded one can be told from a new one. */
      pay: command({ input: id, reply: ({ context }) => context.paid.length }),
      order: command({ input: id, reply: 'deferred', output: z.string(), replyWithinMs: 600_000 }),
      hear: command({ input: z.object({ thing: z.string(), version: z.number() }) }),
      memory: query({ reply: ({ context }) => context }),
    },
    persist,
    idleMs: 1_000,
  })
}

const till = tillOf('till', 'snapshot')
const tape = tillOf('tape', 'journal')

interface Asked {
  /** By key: what was sent under it, and what was answered. */
  readonly answers: Map<string, { readonly version: string; readonly value: unknown }[]>
  readonly conflicts: Set<string>
}

const asked = perRun<Asked>(() => ({ answers: new Map(), conflicts: new Set() }))

/** Clients share keys, and now and then one has another input under the same key. */
async function share(world: World, kind: typeof till, name: 'pay' | 'order', conflicts: boolean): Promise<void> {
  const { answers, conflicts: refused } = asked(world)
  await world.together(3, async (client, index) => {
    const steps = 1 + world.draw(`steps ${index}`, 3)
    for (let step = 0; step < steps; step += 1) {
      const key = `k${world.draw(`key ${index}`, 2)}`
      const version = `${key} v${conflicts && world.draw(`version ${index}`, 3) === 2 ? 1 : 0}`
      if (!world.keeps(`${index}.${step}`)) continue
      const known = await carefully(
        client,
        () => client.actor(kind, 'a').ask[name]({ id: version }, { idempotencyKey: key }) as Promise<unknown>,
      )
      if (known.how === 'answered') answers.set(key, [...(answers.get(key) ?? []), { version, value: known.value }])
      else if (known.how === 'refused') {
        claim('G3 a key that is used with one input alone is not refused', conflicts && known.code === 'IDEMPOTENCY_CONFLICT', known)
        refused.add(version)
      }
    }
  })
}

async function oneEffectOneAnswer(world: World, kind: typeof till, name: 'pay' | 'order'): Promise<void> {
  const { answers, conflicts } = asked(world)
  await settled(world)
  const memory = await eventually(world, () => world.system.actor(kind, 'a').ask.memory())
  const done = name === 'pay' ? memory.paid : memory.ordered
  for (const key of ['k0', 'k1']) {
    const effects = done.filter((version) => version.startsWith(key))
    claim('G3 a key takes effect once', effects.length <= 1, () => ({ key, memory }))
    const heard = answers.get(key) ?? []
    const [first] = heard
    if (first === undefined) continue
    claim('G2 what was answered has taken effect', effects[0] === first.version, () => ({ key, memory, heard }))
    claim(
      'G3 a key has one answer',
      heard.every(({ value, version }) => version === first.version && value === first.value),
      () => ({ key, heard }),
    )
    const again = await eventually(
      world,
      () => world.system.actor(kind, 'a').ask[name]({ id: first.version }, { idempotencyKey: key }) as Promise<unknown>,
    )
    claim('G3 the answer is recorded', again === first.value, () => ({ key, again, heard }))
    near(world, 'a key was asked by several', heard.length > 1)
  }
  if (conflicts.size > 0)
    for (const version of conflicts)
      claim(
        'G3 what conflicts is not executed',
        !done.includes(version) || answers.get(version.slice(0, 2))?.[0]?.version !== version,
        () => ({ version, done }),
      )
  const after = await eventually(world, () => world.system.actor(kind, 'a').ask.memory())
  claim('G3 a repeat changes nothing', after.paid.length === memory.paid.length && after.ordered.length === memory.ordered.length, () => ({
    memory,
    after,
  }))
  near(world, 'an input did not match its key', conflicts.size > 0)
}

interface Told {
  /** By thing: the versions that took the place of one that waited, in this order. */
  readonly took: Map<string, number[]>
  readonly acknowledged: Set<string>
}

const told = perRun<Told>(() => ({ took: new Map(), acknowledged: new Set() }))

/** Each client sends versions of its thing, one after the other, and old ones again. */
async function edit(world: World, kind: typeof till): Promise<void> {
  const { took, acknowledged } = told(world)
  const operator = world.client('operator')
  // While the actor is held, what comes for it waits.
  const isHeld = world.draw('held', 3) > 0
  if (isHeld) await once(() => operator.attempt((system) => system.quarantine.hold(kind, 'a', { reason: 'so that things wait' })))
  await world.together(2, async (client, index) => {
    const thing = `thing ${index}`
    const versions = 1 + world.draw(`versions ${index}`, 3)
    /** Whether the version before was delivered: then it may come again. */
    let isKnown = false
    let hasBegun = false
    let isHandled = false
    for (let version = 1; version <= versions; version += 1) {
      if (!world.keeps(`${thing}.${version}`)) {
        isKnown = false
        continue
      }
      const sending: readonly number[] = world.draw(`again ${index}`, 3) === 0 && isKnown ? [version, version - 1] : [version]
      for (const sent of sending) {
        const isFirst = sent === version
        const known = await carefully(client, () =>
          client.actor(kind, 'a').tell.hear({ thing, version: sent }, { naturalKey: thing, deliveryId: `${thing} ${sent}` }),
        )
        isKnown = known.how === 'answered'
        if (known.how !== 'answered') continue
        acknowledged.add(thing)
        const { outcome } = known.value
        // From here on it has been handled: what comes is dropped in the end, whatever its receipt says.
        if (isFirst && outcome !== 'replaced' && hasBegun) isHandled = true
        hasBegun = true
        if (outcome === 'replaced' && !isHandled) took.set(thing, [...(took.get(thing) ?? []), sent])
        near(world, 'an edit replaced what waited', outcome === 'replaced')
        near(world, 'a delivery was known', outcome === 'duplicate')
      }
      await client.sleep(world.draw(`wait ${index}`, 3) * 200)
      if (isHeld && world.draw(`release ${index}`, 6) === 5) await once(() => client.attempt((system) => system.quarantine.release({})))
    }
  })
}

async function handledOnceInTheLatestVersion(world: World, kind: typeof till): Promise<void> {
  const { took, acknowledged } = told(world)
  await settled(world)
  const { heard } = await eventually(world, () => world.system.actor(kind, 'a').ask.memory())
  for (const thing of acknowledged) {
    const handled = heard.filter((one) => one.thing === thing)
    claim('K23 G3 a thing is handled once, however often it is sent', handled.length === 1, () => ({ thing, heard }))
    const latest = Math.max(0, ...(took.get(thing) ?? []))
    claim('K23 an old delivery does not take the place of a newer one', (handled[0]?.version ?? 0) >= latest, () => ({
      thing,
      heard,
      took: took.get(thing),
    }))
    // The delivery that was handled is known for good, whatever it is said to be about.
    const again = { thing: `not ${thing}`, version: handled[0]?.version ?? 0 }
    const deliveryId = `${thing} ${again.version}`
    await eventually(world, () => world.system.actor(kind, 'a').tell.hear(again, { naturalKey: again.thing, deliveryId }))
    await world.rest()
    const after = await eventually(world, () => world.system.actor(kind, 'a').ask.memory())
    claim('K23 G3 a delivery that was handled is not handled again', !after.heard.some((one) => one.thing === again.thing), () => ({
      again,
      heard: after.heard,
    }))
  }
}

const journal = tape as unknown as typeof till // Of the same commands.

function sharing(kind: typeof till, name: 'pay' | 'order', conflicts: boolean): Pick<Campaign['options'], 'actors' | 'scenario' | 'check'> {
  return {
    actors: [kind],
    scenario: (world) => share(world, kind, name, conflicts),
    check: (world) => oneEffectOneAnswer(world, kind, name),
  }
}

const calm = allBut('poison')

/** The campaigns of this family. */
export const idempotency: readonly Campaign[] = [
  {
    name: 'G3 a key takes effect once and has one answer, whoever asks',
    share: 1.6,
    options: { ...sharing(till, 'pay', false), faults: 'all', properties: sometimes('a key was asked by several') },
  },
  {
    name: 'G3 … and refuses another input',
    share: 4.8,
    options: {
      ...sharing(till, 'pay', true),
      faults: 'all',
      properties: sometimes('a key was asked by several', 'an input did not match its key'),
    },
  },
  {
    name: 'G3 … in a journal, where commits take time',
    share: 4.8,
    options: { ...sharing(journal, 'pay', false), answers: 'later', faults: 'all', properties: sometimes('a key was asked by several') },
  },
  {
    name: 'G3 a deferred reply is one for all who ask with its key, and survives',
    share: 15,
    options: { ...sharing(till, 'order', false), faults: calm, properties: sometimes('a key was asked by several') },
  },
  {
    name: 'G3 … in a journal',
    share: 6,
    options: { ...sharing(journal, 'order', true), faults: calm, properties: sometimes('a key was asked by several') },
  },
  {
    name: 'K23 G3 an edit takes the place of what waits, once, and never of what is newer',
    share: 15,
    options: {
      actors: [till],
      scenario: (world) => edit(world, till),
      check: (world) => handledOnceInTheLatestVersion(world, till),
      // A copy that comes late may wait in vain, and be replaced in vain: the receipt does not know yet that its thing was handled.
      faults: allBut('poison', 'duplicate-request'),
      properties: sometimes('an edit replaced what waited', 'a delivery was known'),
    },
  },
  {
    name: 'K23 G3 … on SQLite files',
    share: 0.01,
    options: {
      actors: [till],
      scenario: (world) => edit(world, till),
      check: (world) => handledOnceInTheLatestVersion(world, till),
      disk: 'sqlite',
      auditEvery: 0,
      faults: calm,
    },
  },
]
