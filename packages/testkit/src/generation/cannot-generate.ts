/** The error of the generators, and the value that stands for it while a schema is walked. */
import { BailiwickError } from '@bailiwick/store'
import type { ErrorField } from '@bailiwick/store'

/**
 * Nothing can be generated for a part of a schema: it is not JSON, it contradicts itself, or its checks refuse nearly
 * everything. Give an arbitrary for that part with `override`.
 */
export class CannotGenerate extends BailiwickError {
  readonly code = 'CANNOT_GENERATE'
  readonly retryable = false
  /** Where in the input, for instance `items.*.price`; empty for the input as a whole. */
  readonly path: string
  /** What it is: the type of the zod schema, for instance `map`; `command`, `option` or `override` where the call is wrong. */
  readonly kind: string

  readonly #detail: string

  constructor(path: string, kind: string, detail: string) {
    super(`Cannot generate ${path === '' ? 'the input' : `"${path}"`} (${kind}): ${detail}`)
    this.path = path
    this.kind = kind
    this.#detail = detail
  }

  /** The same error with a name before its path. */
  within(name: string): CannotGenerate {
    return new CannotGenerate(this.path === '' ? name : `${name}.${this.path}`, this.kind, this.#detail)
  }

  fields(): Record<string, ErrorField> {
    return { path: this.path, kind: this.kind }
  }
}

/** Why a schema has no value here. What stands around it may do without: a union takes another branch, an optional property is absent. */
export class Refusal {
  readonly path: string
  readonly kind: string
  readonly detail: string
  /** True where the absence is no loss: `undefined`, `never`, the end of a recursion. False where JSON has no such value. */
  readonly isHarmless: boolean

  constructor(path: string, kind: string, detail: string, isHarmless: boolean) {
    this.path = path
    this.kind = kind
    this.detail = detail
    this.isHarmless = isHarmless
  }

  /** The error for it, where nothing around it could do without. */
  toError(): CannotGenerate {
    return new CannotGenerate(this.path, this.kind, this.detail)
  }
}
