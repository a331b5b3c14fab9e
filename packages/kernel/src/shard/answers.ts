/** Answers to calls from outside. They are collected in the open batch, and leave after its commit. */
import { encodeError } from '../errors.ts'
import { FromShard } from '../protocol/from-shard.ts'
import type { Cell } from './cell.ts'
import type { ShardCore } from './core.ts'

/** Answers a call with a value. */
export function answer(core: ShardCore, cell: Cell, call: number, value: unknown): void {
  if (call === 0) return
  // JSON would make `null` of an undefined value inside a tuple.
  core.batch.answersOf(cell).push(value === undefined ? [FromShard.value, call] : [FromShard.value, call, value])
}

/** Answers a call with an error. */
export function refuse(core: ShardCore, cell: Cell, call: number, error: Error): void {
  if (call !== 0) core.batch.answersOf(cell).push([FromShard.error, call, encodeError(error)])
}
