/** What a program meets while the thread of a shard is being replaced, and what a turn does to others that fells its thread each time. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { makePlace } from '../fixtures/place.ts'

const { resolve } = createRequire(import.meta.url)

/** An actor whose turn `fell` lets its thread die, every time. */
const ACTOR = `
  import { command, defineActor, query, turn } from '${pathToFileURL(resolve('@bailiwick/kernel')).href}'
  import { setup } from '${pathToFileURL(resolve('xstate')).href}'
  export const frail = defineActor({
    type: 'frail',
    module: import.meta.url,
    logic: setup({}).createMachine({}),
    commands: {
      fell: turn({ run: () => new Promise(() => setTimeout(() => { throw new Error('felled') }, 5)) }),
      look: query({ reply: () => 'here' }),
    },
  })
`

/** Runs a program with an open \`system\` and the actor, in a process of its own; what it printed, its exit code, and how long it took. */
async function run(program: string): Promise<{ readonly printed: string; readonly exitCode: number }> {
  const { directory, file } = makePlace()
  const actor = file('frail.actor.mjs')
  mkdirSync(dirname(actor), { recursive: true })
  writeFileSync(actor, ACTOR)
  const main = join(dirname(actor), 'main.mjs')
  const head = `
    import { openSystem } from '${pathToFileURL(resolve('@bailiwick/kernel')).href}'
    import { frail } from './frail.actor.mjs'
    const system = await openSystem({ directory: ${JSON.stringify(directory)}, actors: [frail] })
    const codeOf = (promise) => promise.then((value) => value, (error) => error.code)
  `
  writeFileSync(main, `${head}${program}`)
  const child = spawn(process.execPath, [main], { stdio: ['ignore', 'pipe', 'ignore'] })
  const chunks: string[] = []
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk))
  await once(child, 'close')
  return { printed: chunks.join('').trim(), exitCode: child.exitCode ?? -1 }
}

test('G9 a call that waits for a thread that is being replaced keeps the program alive', async () => {
  const ended = await run(`
    await codeOf(system.actor(frail, 'a').ask.fell())
    console.log(await codeOf(system.actor(frail, 'b').ask.look()))
    process.exit(0)
  `)
  expect(ended.exitCode).toBe(0)
  expect(ended.printed).not.toBe('')
})

test('G9 closing while a thread is being replaced does not wait for its whole deadline', async () => {
  const { printed } = await run(`
    setInterval(() => {}, 1_000) // It has other things to do.
    await codeOf(system.actor(frail, 'a').ask.fell())
    const from = performance.now()
    await system.close()
    console.log(performance.now() - from)
    process.exit(0)
  `)
  expect(Number(printed)).toBeLessThan(5_000)
})

test('G7 a turn that fells its thread each time ends as failed, and the other actors of the shard are served', async () => {
  const { printed } = await run(`
    setInterval(() => {}, 1_000)
    void codeOf(system.actor(frail, 'a').ask.fell())
    const deadline = performance.now() + 15_000
    let last
    while (performance.now() < deadline) {
      const turns = await codeOf(system.actor(frail, 'a').turns())
      if (Array.isArray(turns) && turns[0]?.state === 'ended') { last = 'ended'; break }
      last = turns
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    console.log(last === 'ended' ? await codeOf(system.actor(frail, 'b').ask.look()) : JSON.stringify(last))
    process.exit(0)
  `)
  expect(printed).toBe('here')
})
