/** The arithmetic of revocation against the plainest model: a list of all tokens, which forgets nothing. */
import { expect, test } from 'vitest'
import { EMPTY_LEDGER, isRevoked, nextLedger } from '../../src/tokens/token-ledger.ts'
import type { TokenLedger } from '../../src/tokens/token-ledger.ts'

interface Known {
  readonly id: string
  readonly generation: number
  readonly expires: number
  readonly isOurs: boolean
  isRevoked: boolean
}

const rules = { lifeMs: 50, lifeMsMax: 100, liveMax: 4, revokedMax: 3 }

function liveAt(known: readonly Known[], at: number): number {
  return known.filter(({ isOurs, isRevoked: was, expires }) => isOurs && !was && expires > at).length
}

/** Xorshift: the same seed gives the same walk. */
function drawsFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

test('on any way, what was revoked is revoked until it has expired, what is ours and was not is good, and counts are exact', () => {
  let seals = 0
  for (let seed = 1; seed <= 150; seed += 1) {
    const draw = drawsFrom(seed)
    const known: Known[] = []
    let ledger: TokenLedger = EMPTY_LEDGER
    let at = 1_000
    for (let step = 0; step < 60; step += 1) {
      at += draw(12)
      const live = liveAt(known, at)
      const choice = draw(10)
      if (choice < 4) {
        const id = `${seed}.${step}`
        const lifeMs = 1 + draw(rules.lifeMsMax)
        ledger = nextLedger(rules, ledger, { type: 'issue', id, lifeMs, at })
        expect(ledger.answer?.outcome).toBe(live < rules.liveMax ? 'issued' : 'full')
        if (ledger.answer?.outcome === 'issued') known.push({ ...ledger.answer, id, isOurs: true, isRevoked: false })
      } else if (choice < 6) {
        // One that was issued elsewhere, with the same secret.
        known.push({
          id: `${seed}.${step}`,
          generation: ledger.generation,
          expires: at + 1 + draw(rules.lifeMsMax),
          isOurs: false,
          isRevoked: false,
        })
      } else if (choice < 9) {
        const chosen = known[draw(Math.max(1, known.length))]
        if (chosen === undefined) continue
        const count = chosen.isOurs && !chosen.isRevoked && chosen.expires > at ? 1 : 0
        ledger = nextLedger(rules, ledger, { type: 'revoke', id: chosen.id, at })
        expect(ledger.answer).toEqual({ outcome: 'revoked', count })
        chosen.isRevoked = true
      } else {
        ledger = nextLedger(rules, ledger, { type: 'revokeAll', at })
        expect(ledger.answer).toEqual({ outcome: 'revoked', count: live })
        for (const token of known) token.isRevoked = true
      }
      if (at < ledger.liveOnlyUntil) seals += 1
      for (const token of known) {
        if (token.expires <= at) continue
        const isKnown = token.isRevoked || token.isOurs || at >= ledger.liveOnlyUntil
        if (isKnown && isRevoked(ledger, token, at) !== token.isRevoked)
          throw new Error(`Seed ${seed}, step ${step}: ${JSON.stringify(token)}`)
      }
      expect(Object.keys(ledger.live).length).toBeLessThanOrEqual(rules.liveMax)
      expect(Object.keys(ledger.revoked).length).toBeLessThanOrEqual(rules.revokedMax)
    }
  }
  // The bound of `revoked` was come to often enough to mean something.
  expect(seals).toBeGreaterThan(500)
})
