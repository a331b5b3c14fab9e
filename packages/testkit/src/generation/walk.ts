/** One walk through a schema: paths, overrides, and the end of recursions. */
import type * as fc from 'fast-check'
import type { z } from 'zod'
import { CannotGenerate, Refusal } from './cannot-generate.ts'
import { buildByKind } from './kinds.ts'
import { complaintOf, Sieve } from './sieve.ts'
import type { Built, Place, Spot } from './spot.ts'

/** A schema that unfolds to more parts than this refers to itself in too many ways. */
const PARTS_MAX = 20_000

/** A lazy schema that answers another one each time has no end that could be seen. */
const NESTED_MAX = 200

/** Walks through a schema once. */
export class Walk {
  readonly #size: number
  readonly #depth: number
  readonly #override: ReadonlyMap<string, fc.Arbitrary<unknown>>
  readonly #unused: Set<string>
  /** The schemas around the present one; one that comes again refers to itself. */
  readonly #around = new Set<z.core.$ZodType>()
  #returns = 0
  /** Whether the present schema is what a lazy one stands for. */
  #isInLazy = false
  #parts = 0

  constructor(size: number, depth: number, override: Readonly<Record<string, fc.Arbitrary<unknown>>>) {
    this.#size = size
    this.#depth = depth
    this.#override = new Map(Object.entries(override))
    this.#unused = new Set(this.#override.keys())
  }

  /** The paths of overrides that the walk has not come by. */
  get unused(): readonly string[] {
    return [...this.#unused]
  }

  /** Builds a schema that stands at a path. */
  build(schema: z.core.$ZodType, path: string, place: Place): Built {
    const kind = schema._zod.def.type
    const given = this.#override.get(path)
    if (given !== undefined) {
      this.#unused.delete(path)
      return new Sieve(given, complaintOf(schema), path, kind)
    }
    this.#parts += 1
    if (this.#parts > PARTS_MAX) throw new CannotGenerate(path, kind, 'it refers to itself in too many ways; set `depth` to 0 or 1')
    const isKnown = this.#around.has(schema)
    // Every way back leads through one of these, and each is to count once.
    const isReturn = isKnown && (kind === 'lazy' || (kind === 'object' && !this.#isInLazy))
    if ((isReturn && this.#returns >= this.#depth) || this.#around.size > NESTED_MAX)
      return new Refusal(path, kind, 'it contains itself without an end', true)
    const wasInLazy = this.#isInLazy
    this.#around.add(schema)
    this.#isInLazy = kind === 'lazy'
    if (isReturn) this.#returns += 1
    try {
      return buildByKind(schema, this.#spot(schema, path, place))
    } finally {
      this.#isInLazy = wasInLazy
      if (isReturn) this.#returns -= 1
      if (!isKnown) this.#around.delete(schema)
    }
  }

  #spot(schema: z.core.$ZodType, path: string, place: Place): Spot {
    const kind = schema._zod.def.type
    return {
      path,
      place,
      size: this.#size,
      inner: (inner) => this.build(inner, path, place),
      child: (child, name, at) => this.build(child, path === '' ? name : `${path}.${name}`, at),
      sieve: (source) => new Sieve(source, complaintOf(schema), path, kind),
      refuse: (detail) => new Refusal(path, kind, detail, false),
      lack: (detail) => new Refusal(path, kind, detail, true),
    }
  }
}
