/**
 * A transport over message ports: one string per message, and a look at what has arrived without waiting for its event.
 *
 * Urgent texts have a port of their own, so that nothing else is in front of them, and a count in shared memory, so that a
 * shard can look for them between any two commands at the price of reading a number.
 */
import { receiveMessageOnPort } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import type { Transport } from './seams.ts'

/** The ends of one side, and the count of urgent texts that were sent to the shard. */
export interface TransportPorts {
  readonly port: MessagePort
  readonly urgent: MessagePort
  readonly sent: SharedArrayBuffer
}

/** Wraps one side. */
export function portTransport({ port, urgent, sent }: TransportPorts): Transport {
  const count = new BigInt64Array(sent)
  let taken = 0n
  return {
    send: (text, isUrgent = false) => {
      if (!isUrgent) {
        port.postMessage(text)
        return
      }
      urgent.postMessage(text)
      Atomics.add(count, 0, 1n)
    },
    poll: () => textOf(receiveMessageOnPort(port)?.message),
    pollUrgent: () => {
      if (Atomics.load(count, 0) === taken) return undefined
      const text = textOf(receiveMessageOnPort(urgent)?.message)
      if (text !== undefined) taken += 1n
      return text
    },
    onText: (listener) => {
      urgent.on('message', (message: unknown) => {
        taken += 1n
        const text = textOf(message)
        if (text !== undefined) listener(text)
      })
      port.on('message', (message: unknown) => {
        const text = textOf(message)
        if (text !== undefined) listener(text)
      })
    },
    close: () => {
      port.close()
      urgent.close()
    },
  }
}

function textOf(message: unknown): string | undefined {
  return typeof message === 'string' ? message : undefined
}
