import { openSystem } from '@bailiwick/kernel'
import { mkdtempSync, readFileSync, existsSync } from 'node:fs'
import { session } from './coordinator/session.actor.ts'
import { postReply } from './coordinator/post-reply.effect.ts'
import { now } from './coordinator/session-turn.ts'
const directory = mkdtempSync('/tmp/smoke-')
const system = await openSystem({ directory, actors: [session], effects: [postReply] })
const ref = system.actor(session, '1')
const provider = { misbehaviours: (process.argv[2] ? process.argv.slice(2) : []) as never }
const t0 = now()
const log = (who: string) => (value: any) => console.log((('at' in value ? value.at : now()) - t0).toFixed(1), who, JSON.stringify({ ...value, at: undefined }))
let go: (() => void) | undefined
const started = new Promise<void>((r) => (go = r))
const spec = ref.ask.implement({ delivery: 'd1', title: 'a title', provider }, { idempotencyKey: 'a', onProgress: (value: any) => { log('spec')(value); if (value.kind === 'chunk' && value.step === '2') go!() } })
spec.then((x) => console.log('spec', JSON.stringify(x)))
await started
console.log((now() - t0).toFixed(1), 'call')
const joined = ref.ask.implement({ delivery: 'd1', title: 'a title', provider }, { idempotencyKey: 'a', onProgress: (value: any) => { if (value.kind !== 'chunk') log('joined')(value) } })
const answer = await ref.ask.respond({ delivery: 'd2', comment: { id: 1, author: 'me', body: 'More emoji' }, postTo: directory + '/replies', provider }, { onProgress: log('handler') })
console.log('handler', JSON.stringify(answer))
await spec; await joined
console.log(JSON.stringify(await ref.ask.overview()))
for (const t of await ref.turns()) console.log(JSON.stringify(t))
console.log(await ref.lateResults(), system.stats().turns, system.stats().lateResults)
console.log(existsSync(directory + '/replies') && readFileSync(directory + '/replies', 'utf8'))
await system.close()
console.log('closed', (now() - t0).toFixed(1))
