/** What the process offers to those who watch it: a channel for events, and warnings for people. */
import { channel } from 'node:diagnostics_channel'
import { ActorQuarantined, ActorStopped, messageOf } from '../errors.ts'
import type { Diagnostics } from './seams.ts'

const tapChannel = channel('bailiwick:tap')

/** The channel `bailiwick:tap` of `node:diagnostics_channel`. */
export const nodeDiagnostics: Diagnostics = {
  get hasSubscribers() {
    return tapChannel.hasSubscribers
  },
  publish: (event) => tapChannel.publish(event),
}

/** A warning of the process, for an error that belongs to no caller. */
export function nodeWarn(error: unknown): void {
  // That an actor is held back is news, not a fault: where the runtime has found out says nothing to anybody.
  const isNews = error instanceof ActorQuarantined || error instanceof ActorStopped
  const detail = !isNews && error instanceof Error && error.stack !== undefined ? { detail: error.stack } : {}
  process.emitWarning(messageOf(error), { type: 'BailiwickAction', ...detail })
}
