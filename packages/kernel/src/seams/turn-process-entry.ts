/**
 * Entry of a process that was forked for a turn. The turn runs in a thread; this one only passes messages on.
 *
 * Messages of the parent arrive in the first thread of a process only. So that an interruption is seen at once by a turn that
 * never yields, this thread stays free for them, and shares a few numbers with the other.
 */
// oxlint-disable-next-line import/no-unassigned-import -- it refuses an old Node.js before anything else is loaded.
import '../node-version.ts'
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { messageOf } from '../errors.ts'
import { isTurnEnd, TurnControl } from './turn-messages.ts'
import type { FromTurn, ToTurnProcess, TurnStart } from './turn-messages.ts'
import type { TurnTask } from './turn-pool-worker.ts'

/** The entry is TypeScript in the repository and JavaScript in a package, like this file. */
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './turn-process-thread.ts' : './turn-process-thread.js', import.meta.url)

const control = new TurnControl()
let toThread: MessagePort | undefined
let isThreadGone = false
let mayLeave = false
let isOver = false

function report(message: FromTurn): void {
  if (isOver) return
  if (isTurnEnd(message)) {
    isOver = true
    // The parent asks it to leave from now on, and it does so once everything that it has printed is out.
    process.on('SIGTERM', () => undefined)
  }
  process.send?.(message)
}

function startThread(start: TurnStart): void {
  const { port1, port2 } = new MessageChannel()
  toThread = port1
  port1.on('message', report)
  const task: TurnTask = { start, port: port2, control: control.buffer }
  const worker = new Worker(ENTRY, { workerData: task, transferList: [port2], name: 'bailiwick-turn' })
  let reason = ''
  worker.on('error', (error: unknown) => {
    reason = messageOf(error)
  })
  worker.on('exit', (code) => {
    // What it has said before it ended counts.
    for (let next = receiveMessageOnPort(port1); next !== undefined; next = receiveMessageOnPort(port1)) {
      report(next.message as FromTurn) // Posted by the far end.
    }
    report({ tag: 'lost', reason: reason === '' ? `it exited with code ${code}` : reason })
    isThreadGone = true
    leave()
  })
}

/**
 * Lets go of the parent once the thread has ended, which it does by itself after its turn: then nothing keeps this process,
 * but what it has still to print. If the thread does not end, the parent ends both.
 */
function leave(): void {
  if (mayLeave && isThreadGone) process.disconnect?.()
}

process.on('message', (message: ToTurnProcess) => {
  switch (message.tag) {
    case 'start':
      startThread(message.start)
      break
    case 'over':
      mayLeave = true
      leave()
      break
    default:
      if (control.note(message)) report({ tag: 'dropped' })
      else toThread?.postMessage(message)
  }
})

process.on('disconnect', () => {
  // The parent is gone: nobody wants to hear of the turn any more.
  if (!mayLeave) process.exit()
})
