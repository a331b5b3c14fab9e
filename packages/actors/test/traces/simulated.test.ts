/** Traces under schedules and faults: what was acknowledged stands once, at its number, in a chain that verifies. */
import { FAULT_KINDS, simulate } from '@bailiwick/testkit'
import type { Client, World } from '@bailiwick/testkit'
import { expect, test } from 'vitest'
import { verifyTraceLines } from '../../src/traces/export-lines.ts'
import { Trace } from '../../src/traces/trace.ts'
import { AUDIT_SECRET, auditSegments, shortAudit } from '../fixtures/audit.actor.ts'

function traceOf(client: Client): Trace {
  return new Trace(client, shortAudit, { pause: (ms) => client.sleep(ms) })
}

/** Appends so many records, one after the other, each once. Answers their numbers. */
async function appended(client: Client, name: string, count: number): Promise<readonly number[]> {
  const trace = traceOf(client)
  const seqs: number[] = []
  for (let number = 1; number <= count; number += 1) {
    const idempotencyKey = `${name} ${number}`
    seqs.push((await client.retry(() => trace.append('main', { by: name, number }, { idempotencyKey }))).seq)
  }
  return seqs
}

test('W16: whatever crashes, concurrent appends make one chain without gaps, each record once and in its sender’s order', async () => {
  await simulate({
    actors: [shortAudit, auditSegments],
    shards: 2,
    schedules: 150,
    // A segment that kills its thread whenever it is handed over becomes a dead letter, and is missing until that is replayed.
    faults: FAULT_KINDS.filter((kind) => kind !== 'poison'),
    scenario: async (world) => {
      const seqs: number[] = []
      await world.together(3, async (client, index) => {
        const mine = await appended(client, `client ${index}`, 3)
        world.always(
          'the numbers of one sender grow',
          mine.every((seq, at) => at === 0 || seq > mine[at - 1]!),
          mine,
        )
        seqs.push(...mine)
      })
      world.always(
        'numbers have no gap',
        seqs.toSorted((one, other) => one - other).every((seq, at) => seq === at + 1),
        seqs,
      )
    },
    check: async (world) => {
      const client = world.client('auditor')
      const trace = traceOf(client)
      expect(await trace.verify('main')).toMatchObject({ outcome: 'intact', from: 0, records: 9 })
      const lines: string[] = []
      for await (const line of trace.export('main')) lines.push(line)
      expect(await verifyTraceLines(lines, { secret: AUDIT_SECRET })).toMatchObject({ outcome: 'intact', records: 9 })
    },
  })
})

test('whoever verifies or exports while others append and prune sees a chain that is whole, or hears that it was pruned', async () => {
  await simulate({
    actors: [shortAudit, auditSegments],
    shards: 2,
    schedules: 150,
    faults: 'crashes',
    scenario: async (world: World) => {
      let pruned = 0
      await world.together(
        async (client) => void (await appended(client, 'a', 5)),
        async (client) => {
          await appended(client, 'b', 4)
          const checkpoint = await client.retry(() => traceOf(client).prune('main', { through: 2 + world.draw('through', 6) }))
          pruned = checkpoint?.seq ?? 0
          world.always('it was pruned', pruned >= 2, checkpoint)
        },
        async (client) => {
          const trace = traceOf(client)
          for (let times = 0; times < 3; times += 1) {
            const verdict = await client.retry(() => trace.verify('main'))
            world.always('what is read is whole', verdict.outcome === 'intact', verdict)
            const lines: string[] = []
            try {
              for await (const line of trace.export('main')) lines.push(line)
            } catch (error) {
              world.sometimes('an export was overtaken by a prune', codeOf(error) === 'TRACE_PRUNED')
              if (codeOf(error) === 'TRACE_BROKEN') throw error
              continue
            }
            const read = await verifyTraceLines(lines, { secret: AUDIT_SECRET })
            world.always('what is exported verifies', read.outcome === 'intact', read)
          }
        },
      )
    },
    check: async (world) => {
      const verdict = await traceOf(world.client('auditor')).verify('main')
      expect(verdict).toMatchObject({ outcome: 'intact', head: { seq: 9 } })
    },
  })
})

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}
