import { openSystem } from '@bailiwick/kernel'
import { readExamples } from './coordinator/payloads.ts'
import { session } from './coordinator/session.actor.ts'
import { sceneLog } from './coordinator/scene-log.actor.ts'
import { postReply } from './coordinator/post-reply.effect.ts'
import { playScene } from './coordinator/session-scene.ts'
import { sceneText, sceneGreeting } from './coordinator/session-text.ts'
const directory = process.argv[2] ?? '/tmp/smoke2'
const system = await openSystem({ directory, actors: [session, sceneLog], effects: [postReply] })
const t = performance.now()
const scene = await playScene(system, { examples: readExamples(), directory, onBegin: (n, c) => console.log(sceneGreeting(n, c)) })
console.log(sceneText(scene), performance.now() - t)
await system.close()
