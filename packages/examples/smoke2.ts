import { readExamples, deliveriesOf } from './coordinator/payloads.ts'
import { translate } from './coordinator/translate.ts'
import { workOf } from './coordinator/session-work.ts'
for (const d of deliveriesOf(3, readExamples())) { if (d.isRepeat) continue; const t = translate(d); if (t.kind !== 'commands') continue
 for (const c of t.commands) { const w = workOf(c); if (w) console.log(d.id, d.event, c.key.join('/'), w.command, JSON.stringify(w.input).slice(0,100)) } }
