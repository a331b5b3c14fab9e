/** What is measured of each component: the same calls for every crew, and what came of them in a few words. */
import type { Worker } from './worker.ts'

/** One row of the table. */
export interface Fact {
  readonly component: string
  /** Makes the calls with a crew of four and says what came of them. */
  readonly measure: (workers: Crew) => Promise<string>
  /** What is left to whoever uses the component, in a shared system too. */
  readonly residual: string
}

type Crew = readonly Worker[]

/** The facts, in the order of the table. */
export const facts: readonly Fact[] = [
  {
    component: 'Token signature: A issues, all four verify',
    measure: async (crew) => {
      const { token } = await first(crew).issue({ principal: 'ada' })
      return counted(await all(crew, (worker) => worker.verify({ principal: 'ada', token })))
    },
    residual: 'clocks that disagree at expiry; a missing secret, which is an error and never a default',
  },
  {
    component: 'Revocation of one token: A issues and revokes, all four verify',
    measure: async (crew) => {
      const { token, id } = await first(crew).issue({ principal: 'bob' })
      await first(crew).revoke({ principal: 'bob', id })
      return counted(await all(crew, (worker) => worker.verify({ principal: 'bob', token })))
    },
    residual: '`verifyLocally`, and every answer that somebody keeps, knows of no revocation until the token expires',
  },
  {
    component: 'Revocation of all: A, B and C issue, B revokes all, all four verify the three and one that A issues afterwards',
    measure: async (crew) => {
      const issued = await all(crew.slice(0, 3), (worker) => worker.issue({ principal: 'cyd' }))
      const count = await first(crew.slice(1)).revokeAll({ principal: 'cyd' })
      const checks = issued.flatMap(({ token }) => crew.map((worker) => worker.verify({ principal: 'cyd', token })))
      const { token } = await first(crew).issue({ principal: 'cyd' })
      const after = await all(crew, (worker) => worker.verify({ principal: 'cyd', token }))
      return `${count} revoked; of 12 checks ${counted(await Promise.all(checks))}; afterwards ${counted(after)}`
    },
    residual: 'none that is known: a cut-off by generation needs no list of tokens',
  },
  {
    component: 'Agent token, exclusive: all four issue for one agent, all four verify what was issued',
    measure: async (crew) => {
      const issued = await all(crew, (worker) => worker.issueForAgent({ agent: 'robot' }))
      const tokens = issued.filter((answer) => answer !== 'ALREADY_EXISTS')
      const checks = tokens.flatMap((token) => crew.map((worker) => worker.verifyForAgent({ agent: 'robot', token })))
      return `${tokens.length} issued; ${counted(await Promise.all(checks))}`
    },
    residual: 'whoever loses the token needs another one: it is stored nowhere',
  },
  {
    component: 'Rate limit of 5: four workers, 20 calls at once',
    measure: async (crew) => counted(await all(times(crew, 5), (worker) => worker.check({ principal: 'ada' }))),
    residual: "time is the shard's wall clock, which never runs backwards; a clock that is set forward ends windows early",
  },
  {
    component: 'Handle: A stores for Ada, B, C and D expand for Ada, A expands for Bob',
    measure: async (crew) => {
      const handle = await first(crew).store({ principal: 'ada' })
      const others = await all(crew.slice(1), (worker) => worker.expand({ principal: 'ada', handle }))
      return `${counted(others)}; for Bob ${await first(crew).expand({ principal: 'bob', handle })}`
    },
    residual: 'rows are copied at storing: they age; a worker that must have no copy needs sticky routing instead',
  },
  {
    component: 'Budget of 10,000: four workers reserve 4,000 twice',
    measure: async (crew) => {
      const grants = await all(times(crew, 2), (worker) => worker.reserve({ amount: 4_000 }))
      return `${grants.reduce((sum, grant) => sum + grant, 0).toLocaleString('en')} granted`
    },
    residual: 'what a holder that died had reserved is missing until its lease is over',
  },
  {
    component: 'Trace: four workers append 25 records each',
    measure: async (crew) => {
      const numbers = await all(times(crew, 25), (worker, by) => worker.append({ chain: 'office', by }))
      const chains = await all(crew, (worker) => worker.verifyChain({ chain: 'office' }))
      const heads = new Map(chains.map(({ head, outcome }) => [head, outcome]))
      return `${numbers.length} records with ${new Set(numbers).size} numbers, chains: ${counted([...heads.values()])}`
    },
    residual: 'one actor per chain decides the order: its speed is the speed of the chain',
  },
  {
    component: 'Idempotent endpoint: all four get the same request at once',
    measure: async (crew) => counted(await all(crew, (worker) => worker.handle({ key: 'order-1' }))),
    residual: 'work whose owner dies is done again in a later epoch: pass the key on to what it changes',
  },
  {
    component: 'Admission with 2 slots: four workers ask for two executions each',
    measure: async (crew) => counted(await all(times(crew, 2), (worker, index) => worker.enqueue({ executionId: `execution-${index}` }))),
    residual: 'the slot of a worker that died is taken until its lease is over',
  },
]

const WORDS: Readonly<Record<string, string>> = { TOKEN_REVOKED: 'revoked' }

/** How often each answer was given: `1 revoked, 3 accepted`. */
function counted(answers: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1)
  return [...counts]
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([answer, count]) => `${count} ${WORDS[answer] ?? answer}`)
    .join(', ')
}

/** Asks all at once. */
async function all<T>(crew: Crew, ask: (worker: Worker, index: number) => Promise<T>): Promise<T[]> {
  return await Promise.all(crew.map(ask))
}

/** Each worker so many times, in turns. */
function times(crew: Crew, count: number): Crew {
  return Array.from({ length: count }, () => crew).flat()
}

function first([worker]: Crew): Worker {
  if (worker === undefined) throw new Error('The crew has no worker.')
  return worker
}
