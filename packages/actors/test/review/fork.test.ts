/** Two continuations of one chain, both signed: what a copy that was put back, and used, leaves behind. */
import { expect, test } from 'vitest'
import { ChainVerifier } from '../../src/traces/chain-verifier.ts'
import { append, emptyChain } from '../../src/traces/head.ts'
import type { ChainState } from '../../src/traces/head.ts'

const SECRET = 'a secret of the tests, and long enough'

test('W16: records of two forks of a chain, each rightly signed, do not make one chain', () => {
  const take = (state: ChainState, text: string): ChainState => append(state, { text, at: 1 }, SECRET, 100).state
  const common = take(emptyChain('c'), '"one"')
  const one = take(take(common, '"two"'), '"three"')
  const other = take(take(common, '"zwei"'), '"drei"')
  const mixed = [...one.open.slice(0, 2), ...other.open.slice(2)]
  const verifier = new ChainVerifier(SECRET, 'c')
  expect(verifier.begin(other.secretId, null)).toBeUndefined()
  const faults = mixed.map((record) => verifier.take(record))
  expect(faults).toEqual([undefined, undefined, expect.objectContaining({ outcome: 'broken', seq: 3, fault: 'out-of-order' })])
})
