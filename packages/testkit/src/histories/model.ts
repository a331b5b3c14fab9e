/**
 * What a thing should do if one call came after the other: the specification that concurrent histories are compared with.
 * `models.ts` has the usual ones.
 */
import type { Operation } from './history.ts'
import { sameValue } from './values.ts'

/** A sequential specification. States are immutable values, and never `undefined`. */
export interface Model<State> {
  /** For people. */
  readonly name: string
  /** The state before the first operation. */
  readonly initial: State
  /**
   * The state after an operation; `undefined` if it could not have happened in this state with this output. The output of an
   * `info` is not known: any is right. Must be a pure function.
   */
  readonly step: (state: State, operation: Operation) => State | undefined
  /** Equal for equal states. The default goes over the whole content of a state. */
  readonly hash?: (state: State) => string | number
  /** Whether two states are the same; `sameValue` by default. */
  readonly equal?: (left: State, right: State) => boolean
  /**
   * Operations of different partitions do not affect each other, and each partition begins with `initial`. By default the key
   * of the operation is the name of its partition.
   */
  readonly partitionOf?: (operation: Operation) => string
  /**
   * Operations that never change a state, whatever they answer. Not needed, but a great help: what only reads may come as soon as
   * it fits, and does not matter at all if nobody knows its end. None by default.
   */
  readonly isRead?: (operation: Operation) => boolean
  /** What the checker may conclude from operations that are still to come. Not needed; for models with many states. */
  readonly foresight?: Foresight<State>
  /** A state for people; JSON-like by default. */
  readonly describe?: (state: State) => string
}

/**
 * Lets the checker give up a state of which nothing good can come. Only for models in which `isRead` operations alone can be
 * impossible: all others may happen in every state.
 */
export interface Foresight<State> {
  /** Operations that leave the same state whatever was before, like a write. All others build on what was before. */
  readonly replaces: (operation: Operation) => boolean
  /**
   * Whether a read that ended `ok` could be possible in this state, or after operations that do not replace it. May say yes too often,
   * never too rarely.
   */
  readonly leadsTo: (state: State, read: Operation) => boolean
}

/** What a reducer is asked: an operation without its end. */
export interface Asked {
  readonly f: string
  readonly key: string | undefined
  readonly input: unknown
}

/** What a reducer answers: the next state and the output, or that such a call is refused (it can only have ended with `fail`). */
export type Reduced<State> = { readonly state: State; readonly output?: unknown } | { readonly rejected: true }

/** A model given as a plain reducer. */
export interface ReducerModel<State> extends Pick<Model<State>, 'hash' | 'equal' | 'partitionOf' | 'isRead' | 'describe'> {
  /** `reducer` by default. */
  readonly name?: string
  readonly initial: State
  readonly reduce: (state: State, asked: Asked) => Reduced<State>
}

/**
 * A model from a plain reducer: a call that ended `ok` must have answered exactly what the reducer says (by `sameValue`), one of
 * which nobody knows the end may have answered anything.
 */
export function modelOf<State>({ name = 'reducer', reduce, ...rest }: ReducerModel<State>): Model<State> {
  return {
    ...rest,
    name,
    step: (state, { f, key, input, outcome, output }) => {
      const reduced = reduce(state, { f, key, input })
      if ('rejected' in reduced) return undefined
      return outcome !== 'ok' || sameValue(reduced.output, output) ? reduced.state : undefined
    },
  }
}
