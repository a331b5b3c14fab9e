/**
 * A transport over message ports: one string per message, and a look at what has arrived without waiting for its event.
 *
 * Urgent texts have a port of their own, so that nothing else is in front of them, and a count in shared memory, so that a
 * shard can look for them between any two commands at the price of reading a number.
 */
import { receiveMessageOnPort } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import type { Transport } from './seams.ts'

/** The count begins anew after so many: the number of values of a Uint32. */
const COUNTS = 2 ** 32

/** The ends of one side, and the count of urgent texts that were sent to the shard. */
export interface TransportPorts {
  readonly port: MessagePort
  readonly urgent: MessagePort
  readonly sent: SharedArrayBuffer
}

/** Wraps one side. */
export function portTransport({ port, urgent, sent }: TransportPorts): Transport {
  const count = new Uint32Array(sent)
  let taken = 0
  let hear: ((text: string) => void) | undefined
  let isClosed = false
  port.once('close', () => {
    isClosed = true
  })
  return {
    get isClosed() {
      return isClosed
    },
    send: (text, isUrgent = false) => {
      if (!isUrgent) {
        port.postMessage(text)
        return
      }
      urgent.postMessage(text)
      Atomics.add(count, 0, 1)
    },
    poll: () => textOf(receiveMessageOnPort(port)?.message),
    pollUrgent: () => {
      if (Atomics.load(count, 0) === taken) return undefined
      const text = textOf(receiveMessageOnPort(urgent)?.message)
      if (text !== undefined) taken = (taken + 1) % COUNTS
      return text
    },
    onText: (listener) => {
      const isFirst = hear === undefined
      hear = listener
      if (!isFirst) return
      urgent.on('message', (message: unknown) => {
        taken = (taken + 1) % COUNTS
        const text = textOf(message)
        if (text !== undefined) hear?.(text)
      })
      port.on('message', (message: unknown) => {
        const text = textOf(message)
        if (text !== undefined) hear?.(text)
      })
    },
    close: () => {
      isClosed = true
      port.close()
      urgent.close()
    },
  }
}

function textOf(message: unknown): string | undefined {
  return typeof message === 'string' ? message : undefined
}
