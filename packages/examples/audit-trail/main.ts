/** An audit trail that shows what was done to it: `AUDIT_SECRET=… node main.ts [directory]`. */
import { Trace, verifyTraceLines } from '@bailiwick/actors'
import { openSystem } from '@bailiwick/kernel'
import { audit, auditSegments } from './audit.actor.ts'

await using system = await openSystem({ directory: process.argv[2] ?? './audit', actors: [audit, auditSegments] })
const trace = new Trace(system, audit)

for (const action of ['signed in', 'read the report', 'signed out']) await trace.append('office', { user: 'ada', action })
const { head } = await trace.summary('office')
console.log('Records:', head.seq)
console.log('Verified:', (await trace.verify('office')).outcome)

const lines: string[] = []
for await (const line of trace.export('office')) lines.push(line)
const secret = process.env['AUDIT_SECRET'] ?? ''
console.log('The export:', (await verifyTraceLines(lines, { secret })).outcome)

const changed = lines.map((line) => line.replace('read the report', 'made the coffee'))
const verdict = await verifyTraceLines(changed, { secret })
console.log('Changed:', verdict.outcome === 'broken' ? `${verdict.fault} at ${verdict.seq}` : verdict.outcome)
