/** G3, G5: messages from actor to actor, over shards, in the order of their streams, each once; what is refused is a dead letter. */
import type { World } from '@bailiwick/testkit'
import { allBut, carefully, claim, eventually, near, perRun, settled, sometimes } from './campaign.ts'
import type { Campaign } from './campaign.ts'
import { peer, PEER_LANES, PEER_WAYS, streamOf } from './peers.ts'
import type { Message, PeerMemory } from './peers.ts'

const KEYS = ['a', 'b', 'c'] as const

interface Asked {
  /** By stream: how many messages were certainly sent, and how many at most. */
  readonly least: Map<string, number>
  readonly most: Map<string, number>
}

const asked = perRun<Asked>(() => ({ least: new Map(), most: new Map() }))

function add(counts: Map<string, number>, stream: string, times: number): void {
  counts.set(stream, (counts.get(stream) ?? 0) + times)
}

async function gossip(world: World, clients: number, isShut: boolean): Promise<void> {
  const { least, most } = asked(world)
  await world.together(clients, async (client, index) => {
    const steps = 1 + world.draw(`steps ${index}`, 3)
    const hasKey = isShut && index === 0
    if (hasKey) await carefully(client, () => client.actor(peer, 'b').ask.shut({}, { idempotencyKey: 'shut' }))
    for (let step = 0; step < steps; step += 1) {
      if (!world.keeps(`${index}.${step}`)) continue
      const from = KEYS[world.draw(`from ${index}`, 3)] ?? 'a'
      const to = KEYS[(KEYS.indexOf(from) + 1 + world.draw(`to ${index}`, 2)) % 3] ?? 'b'
      const lane = PEER_LANES[world.draw(`lane ${index}`, 2) * 2] ?? 'normal'
      const way = PEER_WAYS[world.draw(`way ${index}`, 3)] ?? 'tell'
      const times = 1 + world.draw(`times ${index}`, 2)
      const stream = streamOf(from, to, { lane, way })
      add(most, stream, times)
      const call = () => client.actor(peer, from).ask.send({ to, lane, way, times }, { idempotencyKey: `${index}.${step}` })
      const known = await carefully(client, call)
      if (known.how === 'answered') add(least, stream, times)
    }
    if (hasKey) await carefully(client, () => client.actor(peer, 'b').ask.open({}, { idempotencyKey: 'open' }))
  })
}

async function everythingWasHeardInOrder(world: World): Promise<void> {
  const { least, most } = asked(world)
  await settled(world)
  await eventually(world, () => world.system.actor(peer, 'b').ask.open())
  const memories = await atRest(world)
  const letters = await eventually(world, () => world.system.deadLetters.list())
  const lost = new Map<string, number[]>()
  for (const { command, input, actor } of letters) {
    if (command !== 'hear') continue
    const message = input as Message // As peers send it.
    const stream = streamOf(message.from, actor.slice('peer/'.length), message)
    lost.set(stream, [...(lost.get(stream) ?? []), message.n])
  }
  const heard = new Map<string, number[]>()
  for (const { self, heard: messages } of memories) {
    for (const message of messages) {
      const stream = streamOf(message.from, self, message)
      heard.set(stream, [...(heard.get(stream) ?? []), message.n])
    }
  }
  for (const { sent } of memories) {
    for (const [stream, count] of Object.entries(sent)) {
      claim('G3 a send under a key takes effect once', count >= (least.get(stream) ?? 0) && count <= (most.get(stream) ?? 0), () => ({
        stream,
        count,
        least: least.get(stream),
        most: most.get(stream),
      }))
      const numbers = heard.get(stream) ?? []
      for (const [index, n] of numbers.entries())
        claim('G5 messages are heard in the order sent, once', index === 0 || n > (numbers[index - 1] ?? 0), () => ({ stream, numbers }))
      if (!stream.endsWith('tell')) continue
      const ends = [...numbers, ...(lost.get(stream) ?? [])].toSorted((one, other) => one - other)
      claim(
        'G3 a message is heard once or is a dead letter',
        JSON.stringify(ends) === JSON.stringify(Array.from({ length: count }, (_none, index) => index + 1)),
        () => ({ stream, count, numbers, lost: lost.get(stream) }),
      )
    }
  }
  for (const stream of heard.keys())
    claim(
      'G1 nothing is heard that was not sent',
      memories.some(({ sent }) => sent[stream] !== undefined),
      stream,
    )
  for (const [stream, count] of least)
    claim(
      'G2 an acknowledged send survives',
      memories.some(({ sent }) => (sent[stream] ?? 0) >= count),
      () => ({ stream, count }),
    )
  if (world.system.stats().perShard.length > 1) near(world, 'a message crossed shards', heard.size > 0)
  near(world, 'a message was refused', letters.length > 0 || memories.some(({ refusals }) => refusals.length > 0))
}

/** What the peers remember, once every request has its answer. */
async function atRest(world: World): Promise<readonly PeerMemory[]> {
  for (let tries = 0; ; tries += 1) {
    const memories = await eventually(world, () => Promise.all(KEYS.map((key) => world.system.actor(peer, key).ask.memory())))
    // The event that brings an answer may be what kills threads: then it is a dead letter, which names no command.
    const letters = await eventually(world, () => world.system.deadLetters.list())
    const buried = (self: string): number => letters.filter(({ actor, command }) => actor === `peer/${self}` && command === '').length
    const openOf = ({ self, sent, answers, refusals }: PeerMemory): number => requestsOf(sent) - answers - refusals.length - buried(self)
    const isOpen = memories.filter((memory) => openOf(memory) !== 0)
    if (isOpen.length === 0 && world.system.stats().outbox === 0) return memories
    claim('G3 a request gets one answer', tries < 60 && isOpen.every((memory) => openOf(memory) > 0), () => ({ memories, letters }))
    await world.sleep(1_000)
  }
}

function requestsOf(sent: PeerMemory['sent']): number {
  return Object.entries(sent).reduce((sum, [stream, count]) => sum + (stream.endsWith('tell') ? 0 : count), 0)
}

const chatter = { actors: [peer], check: everythingWasHeardInOrder }
const crossing = sometimes('a message crossed shards')

/** The campaigns of this family. */
export const messages: readonly Campaign[] = [
  {
    name: 'G3 G5 messages between two shards arrive once and in order, whatever strikes',
    share: 1,
    options: {
      ...chatter,
      scenario: (world) => gossip(world, 3, false),
      shards: 2,
      faults: 'all',
      properties: [...crossing, ...sometimes('a message was refused')],
    },
  },
  {
    name: 'G3 G5 … also where messages are lost',
    share: 0.6,
    options: {
      ...chatter,
      scenario: (world) => gossip(world, 3, false),
      shards: 2,
      maxFaults: 4,
      faults: ['lost-message', 'duplicate-message', 'delayed-message', 'thread-kill', 'process-kill', 'disk-full'],
      properties: crossing,
    },
  },
  {
    name: 'G3 G5 … between three shards',
    share: 0.9,
    options: {
      ...chatter,
      scenario: (world) => gossip(world, 3, false),
      shards: 3,
      maxFaults: 4,
      faults: [
        'lost-message',
        'duplicate-message',
        'delayed-message',
        'thread-kill',
        'thread-kill-at-commit',
        'process-kill',
        'pause',
        'disk-full',
        'paused-owner',
      ],
      properties: crossing,
    },
  },
  {
    name: 'G3 G5 … between actors of one shard',
    share: 1.2,
    options: { ...chatter, scenario: (world) => gossip(world, 3, false), faults: 'all', properties: sometimes('a message was refused') },
  },
  {
    name: 'G3 G5 … where commits take time',
    share: 0.6,
    options: {
      ...chatter,
      scenario: (world) => gossip(world, 2, false),
      shards: 2,
      answers: 'later',
      faults: 'all',
      properties: crossing,
    },
  },
  {
    name: 'G3 G5 … where the receiver postpones them',
    share: 0.9,
    options: { ...chatter, scenario: (world) => gossip(world, 3, true), shards: 2, faults: allBut('poison'), properties: crossing },
  },
  {
    name: 'G3 G5 … on SQLite files',
    share: 0.02,
    options: { ...chatter, scenario: (world) => gossip(world, 2, false), shards: 2, disk: 'sqlite', auditEvery: 0, faults: 'all' },
  },
]
