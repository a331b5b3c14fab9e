/** What the crash test knows from outside: what was acknowledged, what the receiver has seen, what turns have written. */
import { existsSync, readFileSync } from 'node:fs'
import type { Account } from './fixtures/account.ts'
import { stepsOf } from './fixtures/craftsman.actor.ts'

/** Everything that was acknowledged to any life. */
export class Acknowledged {
  /** The largest number of each sender. */
  readonly last = new Map<string, number>()
  /** The number of each sender up to which all were acknowledged. */
  readonly #through = new Map<string, number>()
  readonly #beyond = new Map<string, Set<number>>()
  count = 0

  add(sender: string, n: number): void {
    this.count += 1
    this.last.set(sender, Math.max(this.last.get(sender) ?? 0, n))
    const beyond = this.#beyond.get(sender) ?? new Set()
    this.#beyond.set(sender, beyond.add(n))
    let through = this.#through.get(sender) ?? 0
    while (beyond.delete(through + 1)) through += 1
    this.#through.set(sender, through)
  }

  /** From where each sender goes on that only knows what it was told. */
  get through(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#through)
  }

  /** Senders of which something is missing. */
  missing({ last }: Account): readonly string[] {
    return [...this.last].flatMap(([sender, n]) => {
      const found = last[sender] ?? 0
      // What was accepted of a turn shows only when it has ended.
      return sender.startsWith('accepted/') || found >= n ? [] : [`${sender}: ${n} was acknowledged, ${found} is there`]
    })
  }

  /** Accepted turns that have not ended. */
  unended({ last }: Account): readonly string[] {
    return [...this.last].flatMap(([sender, n]) => {
      const [kind, key = ''] = sender.split('/')
      return kind !== 'accepted' || (last[`work/${key}`] ?? 0) >= n
        ? []
        : [`${key}: ${n} was accepted, ${last[`work/${key}`] ?? 0} has ended`]
    })
  }

  /** How many numbers of each kind of sender. */
  byKind(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const [sender, n] of this.last) {
      const kind = sender.split('/', 1).join('')
      counts[kind] = (counts[kind] ?? 0) + n
    }
    return counts
  }
}

/** The lines of a file, without one that was not finished. */
export function linesOf(file: string): readonly string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
}

/** Effects as the receiver has seen them. */
export interface Seen {
  readonly promised: number
  readonly delivered: number
  readonly attempts: number
  readonly problems: readonly string[]
}

/** Compares what the receiver has seen with what was promised. */
export function compareEffects(requests: readonly string[], { last }: Account): Seen {
  const attemptsByKey = new Map<string, number>()
  const keysByEffect = new Map<string, Set<string>>()
  const effectsByKey = new Map<string, Set<string>>()
  for (const request of requests) {
    const [key = '', ...rest] = request.split(' ')
    const effect = rest.join(' ')
    attemptsByKey.set(key, (attemptsByKey.get(key) ?? 0) + 1)
    keysByEffect.set(effect, (keysByEffect.get(effect) ?? new Set()).add(key))
    effectsByKey.set(key, (effectsByKey.get(key) ?? new Set()).add(effect))
  }
  const promised = new Set(
    Object.entries(last).flatMap(([sender, count]) => {
      const [kind, key] = sender.split('/')
      if (kind !== 'send') return []
      return Array.from({ length: count }, (_none, index) => `${key} ${index + 1} ${(index + 1) % 2 === 0 ? 'known' : 'sent'}`)
    }),
  )
  return {
    promised: promised.size,
    delivered: [...keysByEffect.keys()].filter((effect) => promised.has(effect)).length,
    attempts: requests.length,
    problems: [
      ...[...promised].filter((effect) => !keysByEffect.has(effect)).map((effect) => `${effect} was never tried`),
      ...[...keysByEffect.keys()].filter((effect) => !promised.has(effect)).map((effect) => `${effect} was tried, and is not promised`),
      ...[...keysByEffect].filter(([, keys]) => keys.size !== 1).map(([effect, keys]) => `${effect} came under ${keys.size} keys`),
      ...[...effectsByKey].filter(([, effects]) => effects.size !== 1).map(([key]) => `${key} stood for several effects`),
      ...[...keysByEffect]
        .filter(([effect, keys]) => effect.endsWith(' known') && [...keys].some((key) => attemptsByKey.get(key) !== 1))
        .map(([effect]) => `${effect} was tried again, although its probe would have known`),
    ],
  }
}

/** What the turns have written. */
export interface Worked {
  readonly begun: number
  /** Stretches that went on from a frame. */
  readonly resumed: number
  readonly problems: readonly string[]
}

/** Checks what turns have written: nothing that was saved is done again, and epochs only grow. */
export function compareTurns(lines: readonly string[]): Worked {
  const saved = new Map<string, number>()
  const epochs = new Map<string, number>()
  const problems: string[] = []
  let begun = 0
  let resumed = 0
  for (const line of lines) {
    const [actor = '', n = '', epochText = '', what = '', stepText = ''] = line.split(' ')
    const [epoch, step, name] = [Number(epochText), Number(stepText), `${actor} ${n}`]
    const current = epochs.get(actor) ?? 0
    if (what === 'saved') {
      if (step !== (saved.get(name) ?? step - 1) + 1 && step !== (saved.get(name) ?? 0) + 2)
        problems.push(`${line}: after ${saved.get(name) ?? 0}`)
      if (epoch !== current) problems.push(`${line}: saved in an epoch that is over, now ${current}`)
      saved.set(name, step)
      continue
    }
    if (epoch <= current) problems.push(`${line}: the epoch before was ${current}`)
    epochs.set(actor, epoch)
    if (what !== 'begins') continue
    begun += 1
    if (step > 0) resumed += 1
    const known = saved.get(name) ?? 0
    // The last checkpoint may be on disk without anybody having been told.
    if (step !== known && step !== known + 1) problems.push(`${line}: ${known} had been saved`)
    if (step > stepsOf(Number(n))) problems.push(`${line}: there is no such step`)
  }
  return { begun, resumed, problems }
}
