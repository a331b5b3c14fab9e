/** A transport over a MessagePort: one string per message, and a look at what has arrived without waiting for its event. */
import { receiveMessageOnPort } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import type { Transport } from './seams.ts'

/** Wraps one end of a message channel. */
export function portTransport(port: MessagePort): Transport {
  return {
    send: (text) => port.postMessage(text),
    poll: () => textOf(receiveMessageOnPort(port)?.message),
    onText: (listener) => {
      port.on('message', (message: unknown) => {
        const text = textOf(message)
        if (text !== undefined) listener(text)
      })
    },
    close: () => port.close(),
  }
}

function textOf(message: unknown): string | undefined {
  return typeof message === 'string' ? message : undefined
}
