/** Runs turns in a thread: the handler of the pool's threads, and all that the thread of a turn in a forked process does. */
// oxlint-disable-next-line import/no-unassigned-import -- it refuses an old Node.js before anything else is loaded.
import '../node-version.ts'
import type { MessagePort } from 'node:worker_threads'
import type { AnyTurnContext } from '../definition/turn-context.ts'
import { UnknownCommand } from '../errors.ts'
import { findActor } from './load-definitions.ts'
import { TurnFarEnd } from './turn-far-end.ts'
import { nameOfActor, TurnControl } from './turn-messages.ts'
import type { ToTurn, TurnStart } from './turn-messages.ts'

/** Given to a thread for each turn. */
export interface TurnTask {
  readonly start: TurnStart
  /** The far end of the link. */
  readonly port: MessagePort
  /** The buffer of the `TurnControl` that the other thread has too. */
  readonly control: SharedArrayBuffer
}

/** Runs a turn to its end and reports it through the port. Never rejects. The pool knows it by its name. */
export async function runTurn({ start, port, control }: TurnTask): Promise<void> {
  const end = new TurnFarEnd(start, new TurnControl(control), (message) => port.postMessage(message))
  port.on('message', (message: ToTurn) => end.take(message))
  await end.perform(findRun)
  // The shard closes it, once it has everything.
  port.unref()
}

/** The only place that takes a turn's function out of its definition. */
async function findRun({ type, key, module, command }: TurnStart): Promise<(context: AnyTurnContext) => unknown> {
  const definition = await findActor(type, module)
  const turn = definition.commands.get(command)?.turn
  if (turn === undefined) throw new UnknownCommand(nameOfActor(type, key), command)
  return turn.run
}
