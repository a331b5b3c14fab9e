/** G7, K32: one stretch at a time, epochs that grow, frames, order of ranks, one end for each turn, late results that never count. */
import type { TurnOutcome } from '@bailiwick/kernel'
import type { Client, World } from '@bailiwick/testkit'
import { allBut, carefully, claim, eventually, near, once, perRun, settled, sometimes } from './campaign.ts'
import type { Campaign, Known } from './campaign.ts'
import { diary, MANNERS, RANKS, session, stage } from './session.ts'
import type { Heard, Stretch, Work } from './session.ts'

type Session = typeof session

interface Orders {
  readonly outcomes: Map<string, TurnOutcome<unknown>[]>
  readonly accepted: Set<string>
  /** Operations for which a cancel was accepted, with its mode. */
  readonly cancelled: Map<string, string[]>
  /** For each client, its operations of one rank in the order in which they were acknowledged one after the other. */
  readonly lines: string[][]
  readonly notes: Set<string>
}

const orders = perRun<Orders>(() => ({ outcomes: new Map(), accepted: new Set(), cancelled: new Map(), lines: [], notes: new Set() }))

async function takeTurns(world: World, kind: Session, client: Client, index: number, isShared: boolean): Promise<void> {
  const seen = stage(world)
  const { outcomes, accepted, cancelled, notes, lines } = orders(world)
  const actor = client.actor(kind, 'a')
  const line = new Map<string, string[]>()
  const asked: Promise<void>[] = []
  const steps = 1 + world.draw(`steps ${index}`, 4)
  for (let step = 0; step < steps; step += 1) {
    const what = world.draw(`what ${index}`, 10)
    const rank = RANKS[world.draw(`rank ${index}`, 4)] ?? 'chore'
    const manner = MANNERS[world.draw(`manner ${index}`, MANNERS.length)] ?? 'throw'
    const length = 1 + world.draw(`length ${index}`, 3)
    const restMs = [0, 10, 40, 100][world.draw(`rest ${index}`, 4)] ?? 0
    const op = isShared ? `shared ${world.draw(`shared ${index}`, 2)}` : `${index}.${step}`
    if (!world.keeps(`${index}.${step}`)) continue
    if (what <= 6 || isShared) {
      const work: Work = isShared
        ? { op, rank: op === 'shared 0' ? 'worker' : 'handler', steps: 2, manner: 'throw' }
        : { op, rank, steps: length, manner }
      seen.works.set(op, work)
      const key = { idempotencyKey: op }
      if (what <= 3 && !isShared) {
        const known = await carefully(client, () => actor.tell[work.rank](work, key))
        if (known.how === 'answered') {
          accepted.add(op)
          seen.acceptedAt.set(op, (seen.events += 1))
          const before = line.get(work.rank) ?? []
          line.set(work.rank, [...before, op])
        }
      } else {
        const ask = carefully(client, () => actor.ask[work.rank](work, key), 12).then((known: Known<TurnOutcome<unknown>>) => {
          if (known.how === 'answered') outcomes.set(op, [...(outcomes.get(op) ?? []), known.value])
        })
        asked.push(ask)
      }
    } else if (what <= 8) {
      const name = (['steal', 'keep', 'drop', 'note'] as const)[world.draw(`command ${index}`, 4)] ?? 'note'
      const known = await carefully(client, () => actor.tell[name]({ op }, { idempotencyKey: op }))
      if (known.how === 'answered') notes.add(op)
    } else {
      const stretch = seen.stretches.at(-1)
      const mode = (['steal', 'abort-keep', 'abort-drop'] as const)[world.draw(`mode ${index}`, 3)] ?? 'steal'
      if (stretch !== undefined) {
        const known = await once(() => actor.cancelTurn(stretch.turn, { mode }))
        if (known.how === 'answered' && known.value.outcome === 'accepted')
          cancelled.set(stretch.op, [...(cancelled.get(stretch.op) ?? []), mode])
        near(world, 'a turn was cancelled by its number', known.how === 'answered' && known.value.outcome === 'accepted')
      }
    }
    await client.sleep(restMs)
  }
  lines.push(...line.values())
  await Promise.all(asked)
}

const isBegin = ({ what }: Heard): boolean => what === 'started' || what === 'resumed'
const isEnd = ({ what, mode }: Heard): boolean => what === 'done' || what === 'failed' || (what === 'cancelled' && mode !== 'abort-keep')

/** s started, p parked, r resumed, k cancelled to be kept, and one end: done, failed, cancelled. */
const COURSE = /^(?:s(?:pr)*p?k)*(?:s(?:pr)*[dfc]|s(?:pr)*pc|c)$/

function letterOf({ what, mode }: Heard): string {
  if (what === 'cancelled') return mode === 'abort-keep' ? 'k' : 'c'
  return what.slice(0, 1)
}

async function turnsAreInOrder(world: World, kind: Session, isAtOnce: boolean): Promise<void> {
  const { outcomes, accepted, cancelled, lines, notes } = orders(world)
  const { stretches, acceptedAt, works } = stage(world)
  const heard = await finished(world, kind)
  const ofTurns = heard.filter(({ turn }) => turn !== 0)
  const details = () => ({
    heard: heard.map(
      (entry) =>
        `${letterOf(entry)} ${entry.op} turn ${entry.turn} attempt ${entry.attempt} epoch ${entry.epoch} ${entry.mode ?? entry.outcome ?? ''}`,
    ),
    stretches,
  })
  let running: Heard | undefined
  let newest = 0
  for (const entry of ofTurns) {
    if (isBegin(entry)) {
      claim('K32 G7 at most one turn runs at a time', running === undefined, () => ({ entry, ...details() }))
      claim('K32 G7 epochs grow', entry.epoch > newest, () => ({ entry, ...details() }))
      newest = entry.epoch
      running = entry
    } else if (running?.turn === entry.turn) {
      if (entry.what === 'done')
        claim(
          'G7 a result counts only from the stretch that runs',
          entry.output?.epoch === running.epoch && entry.output.op === entry.op,
          () => ({ entry, ...details() }),
        )
      running = undefined
    } else
      claim('G7 a turn that does not run is not done', entry.what !== 'done' && entry.what !== 'parked', () => ({ entry, ...details() }))
  }
  for (const turn of Map.groupBy(ofTurns, (entry) => entry.turn).values()) {
    const course = turn.map(letterOf).join('')
    claim('K32 a turn takes a course with one end', COURSE.test(course), () => ({ course, turn, ...details() }))
    const own = stretches.filter((stretch) => stretch.turn === turn[0]?.turn)
    framesAreRight(own, details)
    const end = turn.at(-1)
    const wasDropped = own.some(({ signal }) => signal === 'abort-drop')
    claim('G7 what was dropped never ends well', !wasDropped || end?.what === 'cancelled', () => ({ end, ...details() }))
    const kept = new Set(own.filter(({ signal }) => signal === 'abort-keep').map(({ epoch }) => epoch))
    claim(
      'G7 what was aborted and kept does not count',
      !turn.some(({ what, output }) => what === 'done' && kept.has(output?.epoch ?? 0)),
      () => ({ turn, ...details() }),
    )
    near(world, 'a stolen turn was resumed', course.includes('pr'))
    near(world, 'a turn was aborted and kept', course.includes('k'))
    near(world, 'a turn was dropped', course.endsWith('c'))
  }
  for (const [op, work] of works) {
    const ends = ofTurns.filter((entry) => entry.op === op && isEnd(entry))
    const last = ends.at(-1)
    claim(
      'K32 what failed alone may be tried again',
      ends.slice(0, -1).every(({ what }) => what === 'failed'),
      () => ({ op, ends, ...details() }),
    )
    claim('K32 every accepted turn comes to an end', ends.length > 0 || !(accepted.has(op) || outcomes.has(op)), () => ({
      op,
      work,
      ...details(),
    }))
    for (const outcome of outcomes.get(op) ?? []) {
      const isSame = ends.some(
        ({ what, outcome: how }) => outcome.outcome === (what === 'done' ? 'ok' : what === 'cancelled' ? 'cancelled' : how),
      )
      claim('G3 a caller gets the outcome that the machine has heard', isSame, () => ({ op, outcome, ends, ...details() }))
      if (outcome.outcome === 'ok')
        claim('G3 a caller gets the result that counts', JSON.stringify(outcome.value) === JSON.stringify(last?.output), () => ({
          op,
          outcome,
          last,
          ...details(),
        }))
    }
    near(world, 'several heard of one turn', (outcomes.get(op) ?? []).length > 1)
  }
  for (const [op, modes] of cancelled) {
    if (!modes.includes('abort-drop')) continue
    claim(
      'G7 a turn that was cancelled for good does not end well',
      ofTurns.some((entry) => entry.op === op && isEnd(entry) && entry.what !== 'done'),
      () => ({ op, ...details() }),
    )
  }
  for (const line of lines) {
    const begun = line
      .map((op) => ofTurns.findIndex((entry) => entry.op === op && entry.what === 'started'))
      .filter((position) => position >= 0)
    claim(
      'K32 turns of one rank begin in the order in which they were accepted',
      begun.every((position, index) => index === 0 || position > (begun[index - 1] ?? 0)),
      () => ({ line, ...details() }),
    )
  }
  const handled = heard.filter(({ turn }) => turn === 0).map(({ op }) => op)
  claim('G3 a command beside the turns is handled once', new Set(handled).size === handled.length, details)
  const letters = await eventually(world, () => world.system.deadLetters.list())
  for (const op of notes)
    claim(
      'G2 an accepted command is handled, or a dead letter',
      handled.includes(op) || letters.some(({ input }) => (input as { readonly op: string }).op === op),
      () => ({ op, letters, ...details() }),
    )
  // Where commits take time, what begins with a batch is seen after what was accepted with it.
  if (isAtOnce) ranksCount(stretches, acceptedAt, works, ofTurns, details)
  const { lateResults } = world.system.stats()
  near(world, 'a late result was refused', lateResults > 0)
  near(
    world,
    'a turn resumed from its frame',
    stretches.some(({ from }) => from !== undefined),
  )
}

/** A turn resumes from its last acknowledged checkpoint, or a later one that nobody heard of; one that begins anew has none. */
function framesAreRight(stretches: readonly Stretch[], details: () => object): void {
  for (const [index, { attempt, from }] of stretches.entries()) {
    const line = stretches.slice(0, index).filter((earlier) => earlier.attempt === attempt)
    const acked = Math.max(-1, ...line.map((earlier) => earlier.acked))
    const asked = Math.max(-1, ...line.map((earlier) => earlier.asked))
    claim('G7 a turn resumes from its last acknowledged checkpoint', (from ?? -1) >= acked, () => ({
      index,
      attempt,
      from,
      acked,
      ...details(),
    }))
    claim('G7 a turn that begins anew has no frame, and none has one that nobody wrote', (from ?? -1) <= asked, () => ({
      index,
      attempt,
      from,
      asked,
      ...details(),
    }))
  }
}

/** While a turn of higher rank is known to be accepted and has not begun, none of lower rank begins or resumes. */
function ranksCount(
  stretches: readonly Stretch[],
  acceptedAt: ReadonlyMap<string, number>,
  works: ReadonlyMap<string, Work>,
  heard: readonly Heard[],
  details: () => object,
): void {
  for (const { beganAt, rank, op } of stretches) {
    for (const [other, at] of acceptedAt) {
      const work = works.get(other)
      if (work === undefined || at > beganAt || RANKS.indexOf(work.rank) >= RANKS.indexOf(rank)) continue
      const first = stretches.find((stretch) => stretch.op === other)
      // One that was cancelled before it began is over without a stretch.
      const isOver = first === undefined && heard.some((entry) => entry.op === other && isEnd(entry))
      claim('K32 no turn begins while one of higher rank waits', isOver || (first !== undefined && first.beganAt < beganAt), () => ({
        op,
        other,
        ...details(),
      }))
    }
  }
}

/** What was heard once everything that was accepted has come to its end. */
async function finished(world: World, kind: Session): Promise<readonly Heard[]> {
  const { accepted, outcomes } = orders(world)
  const { works } = stage(world)
  await settled(world)
  for (let tries = 0; ; tries += 1) {
    const heard = await eventually(world, () => world.system.actor(kind, 'a').ask.heard())
    const open = await eventually(world, () => world.system.actor(kind, 'a').turns({ limit: 1_000 }))
    const isOver = [...works.keys()].every(
      (op) => !(accepted.has(op) || outcomes.has(op)) || heard.some((entry) => entry.op === op && isEnd(entry)),
    )
    const isIdle = open.every(({ state }) => state === 'ended')
    if ((isOver && isIdle) || tries > 40) return heard
    await world.sleep(500)
  }
}

const common = sometimes('a stolen turn was resumed', 'a turn was aborted and kept', 'a turn was dropped', 'a turn resumed from its frame')

function working(
  kind: Session,
  clients: number,
  isShared: boolean,
  isAtOnce = true,
): Pick<Campaign['options'], 'actors' | 'scenario' | 'check'> {
  return {
    actors: [kind],
    scenario: (world) => world.together(clients, (client, index) => takeTurns(world, kind, client, index, isShared)),
    check: (world) => turnsAreInOrder(world, kind, isAtOnce),
  }
}

const calm = allBut('poison')

/** The campaigns of this family. */
export const turns: readonly Campaign[] = [
  {
    name: 'K32 G7 one stretch at a time, growing epochs, frames, ranks and one end, whatever strikes',
    share: 1.6,
    options: {
      ...working(session, 3, false),
      faults: calm,
      properties: [...common, ...sometimes('a late result was refused', 'a turn was cancelled by its number')],
    },
  },
  {
    name: 'K32 G7 … without faults',
    share: 3.2,
    options: { ...working(session, 3, false), faults: ['deaf-turn', 'duplicate-request', 'delayed-request'], properties: common },
  },
  {
    name: 'K32 G7 … where threads and processes die again and again',
    share: 0.8,
    options: {
      ...working(session, 2, false),
      maxFaults: 5,
      faults: [
        'thread-kill',
        'thread-kill-at-commit',
        'process-kill',
        'process-kill-at-commit',
        'torn-write',
        'deaf-turn',
        'io-error',
        'paused-owner',
      ],
      properties: common,
    },
  },
  { name: 'K32 G7 … in a journal', share: 3, options: { ...working(diary, 3, false), faults: allBut('poison'), properties: common } },
  {
    name: 'K32 G7 … where commits take time',
    share: 2,
    options: { ...working(session, 3, false, false), answers: 'later', faults: calm, properties: common },
  },
  {
    name: 'K32 G7 … on SQLite files',
    share: 0.01,
    options: { ...working(session, 2, false), disk: 'sqlite', auditEvery: 0, faults: calm },
  },
  {
    name: 'G3 G7 a turn that several ask for under one key is one turn with one outcome',
    share: 4.8,
    options: {
      ...working(session, 3, true),
      faults: calm,
      properties: sometimes('several heard of one turn', 'a stolen turn was resumed'),
    },
  },
]
