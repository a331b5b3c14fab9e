/** What a thread is started with, and what it says about its start. Everything else goes through the shards' transports. */
import type { ShardLocation } from '@bailiwick/store'
import type { EncodedError } from '../errors.ts'
import type { ShardLimits } from '../shard/limits.ts'
import type { TransportPorts } from './port-transport.ts'

/** A definition of an actor or an effect as a thread finds it: by type or name in a module, and compared by fingerprint. */
export interface DefinitionReference {
  readonly type: string
  readonly module: string
  readonly fingerprint: string
}

/** Given to a thread as its worker data. */
export interface ThreadStart {
  readonly places: readonly { readonly location: ShardLocation; readonly ports: TransportPorts; readonly gauges: SharedArrayBuffer }[]
  readonly definitions: readonly DefinitionReference[]
  readonly effects: readonly DefinitionReference[]
  readonly shardCount: number
  readonly limits: ShardLimits
}

/** Said once by a thread: its shards have recovered, or why they could not. */
export type ThreadStarted = { readonly tag: 'ready' } | { readonly tag: 'failed'; readonly error: EncodedError }
