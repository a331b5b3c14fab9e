/** G10: effects are tried after their promise, at least once, under one key, and not after their cancel; each has one end. */
import { cancelEffect, command, defineActor, defineEffect, effect, query, reply } from '@bailiwick/kernel'
import type { World } from '@bailiwick/testkit'
import { assign, enqueueActions, setup } from 'xstate'
import { z } from 'zod'
import { allBut, carefully, claim, eventually, near, perRun, settled, sometimes } from './campaign.ts'
import type { Campaign } from './campaign.ts'

interface Outside {
  readonly world: World
  /** What the receiver has got, in order. */
  readonly deliveries: { readonly id: string; readonly key: string; readonly at: number }[]
  /** Attempts, also those that failed. */
  readonly attempts: Map<string, { readonly key: string; readonly at: number }[]>
  /** When the cancel of a label was acknowledged. */
  readonly cancelledAt: Map<string, number>
  events: number
}

const outside = perRun<Outside>((world) => ({ world, deliveries: [], attempts: new Map(), cancelledAt: new Map(), events: 0 }))

const job = z.object({ id: z.string(), fails: z.number(), ms: z.number() })
type Job = z.infer<typeof job>

async function perform({ id, fails, ms }: Job, key: string): Promise<string> {
  const { world, deliveries, attempts } = outside.current
  const tries = [...(attempts.get(id) ?? []), { key, at: (outside.current.events += 1) }]
  attempts.set(id, tries)
  if (tries.length <= fails) throw new Error('not yet')
  deliveries.push({ id, key, at: outside.current.events })
  if (ms > 0) await world.workFor(ms)
  return id
}

const retry = { maxAttempts: 3, backoff: { minMs: 50, maxMs: 200, jitter: 0.2 } }

const mail = defineEffect({
  name: 'mail',
  module: import.meta.url,
  input: job,
  run: ({ input, idempotencyKey }) => perform(input, idempotencyKey),
  retry,
  timeoutMs: 5_000,
  concurrency: 2,
})

/** Whoever performs it can say whether it was done. */
const charge = defineEffect({
  name: 'charge',
  module: import.meta.url,
  input: job,
  run: ({ input, idempotencyKey }) => perform(input, idempotencyKey),
  probe: ({ input, idempotencyKey }) =>
    outside.current.deliveries.some(({ key }) => key === idempotencyKey)
      ? { done: true as const, output: input.id }
      : { done: false as const },
  retry,
  timeoutMs: 5_000,
})

type ClientEvent =
  | ({ readonly type: 'promise'; readonly name: 'mail' | 'charge'; readonly label: string } & Job)
  | ({ readonly type: 'order' } & Job)
  | { readonly type: 'recall'; readonly label: string }
  | { readonly type: 'mail.done' | 'charge.done'; readonly output: string; readonly idempotencyKey: string }
  | { readonly type: 'mail.failed' | 'charge.failed'; readonly idempotencyKey: string; readonly label?: string }

interface Entry {
  readonly what: 'promised' | 'recalled' | 'done' | 'failed'
  readonly id: string
  readonly label: string
  readonly key?: string
}

const machine = setup({
  types: { context: {} as { readonly log: readonly Entry[] }, events: {} as ClientEvent },
  actions: {
    done: assign({
      log: ({ context, event }) =>
        'output' in event
          ? [...context.log, { what: 'done' as const, id: event.output, label: '', key: event.idempotencyKey }]
          : context.log,
    }),
    failed: assign({
      log: ({ context, event }) =>
        'idempotencyKey' in event
          ? [...context.log, { what: 'failed' as const, id: '', label: '', key: event.idempotencyKey }]
          : context.log,
    }),
  },
}).createMachine({
  context: { log: [] },
  on: {
    promise: {
      actions: enqueueActions(({ enqueue, context, event }) => {
        const { name, id, fails, ms, label } = event
        enqueue.assign({ log: [...context.log, { what: 'promised', id, label }] })
        enqueue(effect(name, { id, fails, ms }, label === '' ? {} : { label }))
      }),
    },
    order: {
      actions: enqueueActions(({ enqueue, context, event: { id, fails, ms } }) => {
        enqueue.assign({ log: [...context.log, { what: 'promised', id, label: '' }] })
        enqueue(effect('charge', { id, fails, ms }))
      }),
    },
    recall: {
      actions: [
        assign({ log: ({ context, event }) => [...context.log, { what: 'recalled', id: '', label: event.label }] }),
        cancelEffect(({ event }) => event.label),
      ],
    },
    'mail.done': { actions: 'done' },
    'charge.done': { actions: ['done', reply(({ event }) => event.output, { command: 'order' })] },
    'mail.failed': { actions: 'failed' },
    'charge.failed': { actions: ['failed', reply('failed', { command: 'order' })] },
  },
})

const client = defineActor({
  type: 'client',
  module: import.meta.url,
  logic: machine,
  commands: {
    promise: command({ input: job.extend({ name: z.enum(['mail', 'charge']), label: z.string() }) }),
    order: command({ input: job, reply: 'deferred', output: z.string() }),
    recall: command({ input: z.object({ label: z.string() }), priority: 'urgent' }),
    log: query({ reply: ({ context }) => context.log }),
  },
  idleMs: 500,
})

/** Clients promise effects, and take some back. */
async function promise(world: World, name: 'mail' | 'charge'): Promise<void> {
  const { cancelledAt } = outside(world)
  await world.together(2, async (caller, index) => {
    const actor = caller.actor(client, 'a')
    const steps = 1 + world.draw(`steps ${index}`, 4)
    for (let step = 0; step < steps; step += 1) {
      const id = `${index}.${step}`
      const label = ['', 'x', `own ${index}`][world.draw(`label ${index}`, 3)] ?? ''
      const fails = [0, 0, 1, 3][world.draw(`fails ${index}`, 4)] ?? 0
      const ms = [0, 20, 300][world.draw(`ms ${index}`, 3)] ?? 0
      const recalls = world.draw(`recalls ${index}`, 4) === 3
      if (!world.keeps(id)) continue
      if (recalls) {
        const known = await carefully(caller, () => actor.ask.recall({ label: `own ${index}` }, { idempotencyKey: id }))
        // The label is of this client alone: what it has promised before is taken back.
        if (known.how === 'answered') cancelledAt.set(`${index}.${step}`, (outside(world).events += 1))
      } else await carefully(caller, () => actor.ask.promise({ name, id, fails, ms, label }, { idempotencyKey: id }))
      if (world.draw(`rest ${index}`, 3) === 2) await caller.sleep(100)
    }
  })
}

async function eachHasOneEnd(world: World, name: 'mail' | 'charge', isExactlyOnce: boolean): Promise<void> {
  const { deliveries, attempts, cancelledAt } = outside(world)
  const log = await finished(world)
  const letters = await eventually(world, () => world.system.deadLetters.list({ command: name }))
  const promised = log.filter(({ what }) => what === 'promised')
  const ids = new Set(promised.map(({ id }) => id))
  claim('G3 a promise under a key is made once', ids.size === promised.length, log)
  const keys = new Map<string, string>()
  for (const [id, tries] of attempts) {
    claim('G1 G10 an effect is tried only after the commit that promises it', ids.has(id), () => ({ id, log }))
    const [first] = tries
    claim(
      'G10 every attempt has the same key',
      tries.every(({ key }) => key === first?.key),
      () => ({ id, tries }),
    )
    if (first !== undefined) keys.set(first.key, id)
  }
  claim('G10 keys of effects are different', keys.size === attempts.size, () => [...attempts])
  for (const { id, label } of promised) {
    const key = attempts.get(id)?.[0]?.key
    const ends = log.filter((entry) => (entry.what === 'done' && entry.id === id) || (entry.what === 'failed' && entry.key === key))
    const position = log.findIndex((entry) => entry.what === 'promised' && entry.id === id)
    const isTakenBack =
      label !== '' &&
      log.slice(position + 1).some((entry) => (entry.what === 'recalled' || entry.what === 'promised') && entry.label === label)
    const details = () => ({ id, ends, tries: attempts.get(id), log, letters })
    claim('G10 an effect has one end at most', ends.length <= 1, details)
    claim('G10 an effect that was not taken back comes to an end', isTakenBack || ends.length === 1, details)
    const delivered = deliveries.filter((delivery) => delivery.id === id).length
    for (const { what } of ends) {
      claim('G10 an effect that is done was performed', what !== 'done' || delivered > 0, details)
      claim(
        'G10 an effect that is given up is a dead letter',
        what !== 'failed' || letters.some(({ input }) => (input as Job).id === id),
        details,
      )
    }
    if (isExactlyOnce) claim('G10 an effect whose receiver can be asked is performed once', delivered <= 1, details)
    near(world, 'an effect was performed twice', delivered > 1)
    near(world, 'an effect was taken back before it was tried', isTakenBack && key === undefined)
    near(
      world,
      'an effect was given up',
      ends.some(({ what }) => what === 'failed'),
    )
  }
  for (const [recall, at] of cancelledAt) {
    const [index = '', step = '0'] = recall.split('.')
    for (const [id, tries] of attempts) {
      const [owner, own = '0'] = id.split('.')
      if (owner !== index || Number(own) > Number(step) || !promised.some((entry) => entry.id === id && entry.label === `own ${index}`))
        continue
      claim('G10 an effect is not begun after its cancel was acknowledged', (tries[0]?.at ?? 0) < at, () => ({ id, tries, at, log }))
    }
  }
}

/** The log once nothing is under way any more. */
async function finished(world: World): Promise<readonly Entry[]> {
  await settled(world)
  for (let tries = 0; tries < 30; tries += 1) {
    await world.sleep(1_000)
    await world.rest()
    const { effects, outbox } = world.system.stats()
    if (effects.running === 0 && outbox === 0) break
  }
  return await eventually(world, () => world.system.actor(client, 'a').ask.log())
}

const orders = perRun<Map<string, string[]>>(() => new Map())

/** Callers wait for an answer that an effect brings. */
async function orderAndWait(world: World): Promise<void> {
  outside(world)
  const answers = orders(world)
  await world.together(3, async (caller, index) => {
    for (let step = 0; step < 2; step += 1) {
      const id = `order ${world.draw(`id ${index}`, 3)}`
      if (!world.keeps(`${index}.${step}`)) continue
      const known = await carefully(caller, () =>
        caller.actor(client, 'a').ask.order({ id, fails: id === 'order 1' ? 1 : 0, ms: 20 }, { idempotencyKey: id }),
      )
      if (known.how === 'answered') answers.set(id, [...(answers.get(id) ?? []), known.value])
    }
  })
}

async function answeredAsPerformed(world: World): Promise<void> {
  const answers = orders(world)
  const log = await finished(world)
  for (const [id, heard] of answers) {
    // One whose thread dies again and again is given up in the end, and that is its answer.
    claim(
      'G3 a deferred answer is of its own effect, and the same for all',
      heard.every((answer) => answer === heard[0] && (answer === id || answer === 'failed')),
      () => ({ id, heard, log }),
    )
    claim('G3 an order under a key is made once', log.filter((entry) => entry.what === 'promised' && entry.id === id).length === 1, log)
    near(world, 'several waited for one effect', heard.length > 1)
  }
}

function promising(
  name: 'mail' | 'charge',
  isExactlyOnce: boolean,
): Pick<Campaign['options'], 'actors' | 'effects' | 'scenario' | 'check'> {
  return {
    actors: [client],
    effects: [mail, charge],
    scenario: (world) => promise(world, name),
    check: (world) => eachHasOneEnd(world, name, isExactlyOnce),
  }
}

const reached = sometimes('an effect was taken back before it was tried', 'an effect was given up')
/** One that is left behind may still act on the outside: that is a limit of the promise. */
const single = allBut('poison', 'paused-owner')

/** The campaigns of this family. */
export const effects: readonly Campaign[] = [
  {
    name: 'G10 an effect is tried after its promise, under one key, not after its cancel, and has one end',
    share: 5,
    options: { ...promising('mail', false), faults: single, properties: [...reached, ...sometimes('an effect was performed twice')] },
  },
  {
    name: 'G10 … and is performed once where its receiver can be asked',
    share: 1.5,
    options: { ...promising('charge', true), faults: single, properties: reached },
  },
  {
    name: 'G10 … where commits take time',
    share: 2,
    options: { ...promising('charge', true), answers: 'later', faults: single, properties: reached },
  },
  { name: 'G10 … on SQLite files', share: 0.01, options: { ...promising('charge', true), disk: 'sqlite', auditEvery: 0, faults: single } },
  {
    name: 'G3 G10 an answer that an effect brings is one for all who wait, and survives',
    share: 4.8,
    options: {
      actors: [client],
      effects: [mail, charge],
      scenario: orderAndWait,
      check: answeredAsPerformed,
      faults: allBut('poison'),
      properties: sometimes('several waited for one effect'),
    },
  },
]
