/** Goal: at least 50,000 simulated steps in a second of one core, on the memory store. */
import { simulate, TestWorld } from '@bailiwick/testkit'
import { account } from './actors.ts'
import { compare } from './measure.ts'
import type { Finding } from './measure.ts'
import type { Plan } from './plan.ts'

const CLIENTS = 4
const DEPOSITS = 25

/**
 * Runs of four clients with 25 deposits each on two shards; every step is a choice. The floor does the same deposits, one at a
 * time, in a test world, which has no choices and lets the real event loop go round.
 */
export async function simulatedSteps(plan: Plan): Promise<readonly Finding[]> {
  const schedules = plan.scale(500)
  const perRun = CLIENTS * DEPOSITS
  let stepsPerSecond: number[] = []
  const commands = await compare(
    {
      name: 'simulated commands, two shards',
      unit: '/s',
      sync: 'none',
      runs: plan.runs,
      note: 'floor: the same commands in a test world',
    },
    async () => {
      const startedAt = performance.now()
      const { steps } = await simulate({
        actors: [account],
        shards: 2,
        schedules,
        auditEvery: 0,
        scenario: async (world) => {
          await world.together(CLIENTS, async (client, index) => {
            const { ask } = client.actor(account, `a${index}`)
            for (let count = 0; count < DEPOSITS; count += 1) await ask.deposit({ amount: 1 })
          })
        },
      })
      const seconds = (performance.now() - startedAt) / 1_000
      stepsPerSecond.push(steps / seconds)
      return (schedules * perRun) / seconds
    },
    async () => {
      const startedAt = performance.now()
      for (let run = 0; run < schedules; run += 1) {
        const world = new TestWorld({ shards: 2 })
        const system = await world.open({ actors: [account] })
        for (let count = 0; count < perRun; count += 1) await system.actor(account, `a${count % CLIENTS}`).ask.deposit({ amount: 1 })
        await world.close()
      }
      return (schedules * perRun) / ((performance.now() - startedAt) / 1_000)
    },
  )
  // The first run does not count.
  stepsPerSecond = stepsPerSecond.slice(1).toSorted((left, right) => left - right)
  const value = stepsPerSecond[Math.floor(stepsPerSecond.length / 2)] ?? Number.NaN
  const steps: Finding = {
    name: 'simulated steps, two shards',
    value,
    unit: '/s',
    floor: undefined,
    ratio: undefined,
    spread: [stepsPerSecond[0] ?? value, stepsPerSecond.at(-1) ?? value],
    runs: plan.runs,
    sync: 'none',
    note: 'goal: 50,000 on one core',
  }
  return [commands, steps]
}
