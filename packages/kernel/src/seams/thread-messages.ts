/** What a thread is started with, and what it says about its start. Everything else goes through the shards' transports. */
import type { ShardLocation } from '@bailiwick/store'
import type { Supervision } from '../definition/supervision.ts'
import type { EncodedError } from '../errors.ts'
import type { ShardLimits } from '../shard/limits.ts'
import type { TransportPorts } from './port-transport.ts'
import type { Accused, LoadedModule, Poison } from './seams.ts'

/** A definition of an actor or an effect as a thread finds it: by type or name in a module, and compared by fingerprint. */
export interface DefinitionReference extends LoadedModule {
  readonly fingerprint: string
}

/** Given to a thread as its worker data. */
export interface ThreadStart {
  readonly places: readonly { readonly location: ShardLocation; readonly ports: TransportPorts; readonly gauges: SharedArrayBuffer }[]
  readonly definitions: readonly DefinitionReference[]
  readonly effects: readonly DefinitionReference[]
  readonly shardCount: number
  readonly limits: ShardLimits
  readonly supervision: Supervision
  readonly poison: readonly Poison[]
  readonly accused: Accused | undefined
  readonly isCareful: boolean
  /** The thread raises the Int32 in it every `beatMs`. */
  readonly beat: SharedArrayBuffer
  readonly beatMs: number
}

/**
 * What a thread says about its start: what it loads next, that it has loaded everything, and at last that its shards have
 * recovered, or why they could not.
 */
export type ThreadMessage =
  | { readonly tag: 'loading'; readonly module: LoadedModule }
  | { readonly tag: 'loaded' }
  | { readonly tag: 'ready' }
  | { readonly tag: 'failed'; readonly error: EncodedError }
