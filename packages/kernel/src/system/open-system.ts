/**
 * `openSystem`: takes the directory, starts the shard threads, and answers the system once every shard has recovered.
 * If anything fails, everything is undone in reverse order and the directory is free again.
 */
import { InvalidDefinition, SystemClosed } from '../errors.ts'
import { nodeSeams } from '../seams/node-seams.ts'
import type { Seams, Signals, SystemDirectory } from '../seams/seams.ts'
import { errorField, Log } from './logger.ts'
import { Observer } from './observer.ts'
import { checkOptions } from './open-options.ts'
import type { CheckedOptions, OpenSystemOptions } from './open-options.ts'
import { ShardClient } from './shard-client.ts'
import { closeOnSignals } from './signals.ts'
import { System } from './system.ts'
import { ThreadSlot } from './threads.ts'

/**
 * Opens a system. Rejects with `InvalidDefinition` for bad options; `DirectoryInUse`, `DirectoryMissing`,
 * `DirectoryNotWritable`, `DirectoryNotOurs`, `SchemaTooNew`, `StoreDamaged` or `StoreUnavailable` for the directory;
 * `DefinitionNotLoaded` if a shard thread cannot load an actor; `ShardCrashed` if one dies before it serves; `SystemClosed` if
 * it was aborted.
 */
export async function openSystem(options: OpenSystemOptions): Promise<System> {
  return await openSystemOn(nodeSeams, options)
}

/** Opens a system on the given seams. For test kits; see `openSystem`. */
export async function openSystemOn(seams: Seams, options: OpenSystemOptions): Promise<System> {
  const checked = checkOptions(options)
  if (checked.closeOn.length > 0 && seams.signals === undefined) {
    throw new InvalidDefinition('openSystem', 'closeOn', 'has no meaning here: there are no signals')
  }
  throwIfAborted(checked.signal)
  const log = new Log(checked.logger, seams.warn?.bind(seams))
  const directory = seams.stores.openDirectory(checked.directory)
  const threads: ThreadSlot[] = []
  let observer: Observer | undefined
  try {
    const parts = assemble(seams, checked, directory, log, threads)
    observer = parts.observer
    observer.tap.open()
    await unlessAborted(checked.signal, Promise.all(threads.map((thread) => thread.started())))
    let giveBack = (): void => undefined
    const onClosed = (): void => giveBack()
    const system = new System({
      ...parts,
      onClosed,
      clock: seams.clock,
      stores: seams.stores,
      directory,
      definitions: checked.actors,
      threads,
    })
    const { epoch, shardCount } = directory
    log.info('system opened', { directory: directory.directory, epoch, shards: shardCount, threads: threads.length })
    if (seams.signals !== undefined) giveBack = listenForSignals(seams.signals, checked, system, log)
    return system
  } catch (error) {
    observer?.tap.close()
    await Promise.allSettled(threads.map((thread) => thread.terminate()))
    directory.release()
    log.error('system could not be opened', { directory: directory.directory, error: errorField(error) })
    throw error
  }
}

/** Starts a thread for every run of shards, and puts what callers need beside it. */
function assemble(
  seams: Seams,
  { actors, effects, limits, pendingCalls, supervision, threadSupervision, directory: { shards } }: CheckedOptions,
  directory: SystemDirectory,
  log: Log,
  threads: ThreadSlot[],
): { readonly clients: readonly ShardClient[]; readonly observer: Observer } {
  const { clock, diagnostics, scheduler } = seams
  const locations = Array.from({ length: directory.shardCount }, (_none, index) => directory.shard(index))
  const observer = new Observer({ clock, diagnostics, log, clients: () => clients })
  const budget = { max: pendingCalls, used: 0 }
  const clients: ShardClient[] = locations.map(
    (_location, index) =>
      new ShardClient({
        clock,
        scheduler,
        budget,
        relay: (to, text) => clients[to]?.forward(index, text),
        attached: () => {
          for (const [peer, client] of clients.entries()) if (peer !== index) client.peerStarted(index)
        },
        observer: observer.ofShard(index),
      }),
  )
  for (const indexes of shareOut(locations.length, Math.min(shards, locations.length))) {
    const plan = { shards: pick(locations, indexes), definitions: actors, effects, shardCount: locations.length, limits, supervision }
    const onEvent = observer.threadMoved.bind(observer)
    threads.push(new ThreadSlot({ seams, plan, clients: pick(clients, indexes), supervision: threadSupervision, onEvent }))
  }
  return { clients, observer }
}

/** Closes the system on the signals that its options name. Answers a function that gives them back. */
function listenForSignals(signals: Signals, { closeOn, closeMs }: CheckedOptions, system: System, log: Log): () => void {
  return closeOnSignals({
    signals,
    names: closeOn,
    close: async (isFirst, signal) => {
      log.info(isFirst ? 'closing on a signal' : 'closing at once on a signal', { signal })
      await system.close(isFirst ? { timeoutMs: closeMs } : { mode: 'now' })
    },
  })
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return
  const error = new SystemClosed(false)
  error.cause = signal.reason
  throw error
}

/** Waits for something, but no longer than until the signal. */
async function unlessAborted(signal: AbortSignal | undefined, work: Promise<unknown>): Promise<void> {
  if (signal === undefined) {
    await work
    return
  }
  const aborted = Promise.withResolvers<undefined>()
  const abort = (): void => aborted.resolve(undefined)
  signal.addEventListener('abort', abort, { once: true })
  try {
    await Promise.race([work, aborted.promise])
    throwIfAborted(signal)
  } finally {
    signal.removeEventListener('abort', abort)
    // It may fail while it is undone: that is no news.
    work.catch(() => undefined)
  }
}

/** Runs of neighbouring shards, one per thread, so that the order of all gauges is that of the shards. */
function shareOut(shardCount: number, threadCount: number): readonly (readonly number[])[] {
  return Array.from({ length: threadCount }, (_none, thread) => {
    const first = Math.floor((thread * shardCount) / threadCount)
    const end = Math.floor(((thread + 1) * shardCount) / threadCount)
    return Array.from({ length: end - first }, (_nothing, offset) => first + offset)
  })
}

function pick<T>(items: readonly T[], indexes: readonly number[]): readonly T[] {
  return items.filter((_item, index) => indexes.includes(index))
}
