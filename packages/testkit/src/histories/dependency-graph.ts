/**
 * A graph of who came before whom: its strongly connected components (Tarjan, without recursion) and shortest cycles. It does not
 * know what a node is. Linear in nodes and edges for components; a shortest cycle takes one search for each node of its component,
 * none of them deeper than the best cycle so far.
 */

/** Why one comes before another. */
export type DependencyKind = 'ww' | 'wr' | 'rw' | 'process' | 'real-time'

/** An edge: `from` comes before `to`. Nodes are numbers from 0. */
export interface Dependency {
  readonly from: number
  readonly to: number
  readonly kind: DependencyKind
  /** In words; called only for what is shown. */
  readonly because: () => string
}

/** Which edges count. */
export type Kinds = ReadonlySet<DependencyKind>

/** Edges between nodes from 0 to `size`. */
export class DependencyGraph {
  readonly #edges: Dependency[][]

  constructor(size: number) {
    this.#edges = Array.from({ length: size }, () => [])
  }

  /** Adds an edge; one from a node to itself is left out. */
  add(dependency: Dependency): void {
    if (dependency.from !== dependency.to) this.#edges[dependency.from]?.push(dependency)
  }

  /** Every node. */
  nodes(): readonly number[] {
    return [...this.#edges.keys()]
  }

  /** The components of more than one node that edges of these kinds make among these nodes. */
  components(nodes: readonly number[], kinds: Kinds): readonly (readonly number[])[] {
    const inside = new Set(nodes)
    const order = new Map<number, number>()
    const low = new Map<number, number>()
    const onStack = new Set<number>()
    const stack: number[] = []
    const components: number[][] = []
    for (const root of nodes) {
      if (order.has(root)) continue
      const path = [{ node: root, next: 0 }]
      for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
        const { node } = step
        if (step.next === 0) {
          order.set(node, order.size)
          low.set(node, order.size - 1)
          stack.push(node)
          onStack.add(node)
        }
        const edge = this.#edges[node]?.[step.next]
        step.next += 1
        if (edge !== undefined) {
          if (!kinds.has(edge.kind) || !inside.has(edge.to)) continue
          const seen = order.get(edge.to)
          if (seen === undefined) path.push({ node: edge.to, next: 0 })
          else if (onStack.has(edge.to)) low.set(node, Math.min(low.get(node) ?? 0, seen))
          continue
        }
        path.pop()
        const lowest = low.get(node) ?? 0
        const parent = path.at(-1)?.node
        if (parent !== undefined) low.set(parent, Math.min(low.get(parent) ?? 0, lowest))
        if (lowest !== order.get(node)) continue
        const component = stack.splice(stack.lastIndexOf(node))
        for (const member of component) onStack.delete(member)
        if (component.length > 1) components.push(component)
      }
    }
    return components
  }

  /** The shortest cycle of edges of these kinds among these nodes. */
  shortestCycle(nodes: readonly number[], kinds: Kinds): readonly Dependency[] | undefined {
    let best: readonly Dependency[] | undefined
    for (const component of this.components(nodes, kinds)) {
      const inside = new Set(component)
      for (const node of component) {
        const cycle = this.#path(node, node, inside, kinds, best === undefined ? Infinity : best.length - 1)
        if (cycle !== undefined) best = cycle
        if (best?.length === 2) return best
      }
    }
    return best
  }

  /** The shortest cycle of exactly one edge of the kind `once` and others of these kinds, among these nodes. */
  shortestCycleWithOne(once: DependencyKind, nodes: readonly number[], kinds: Kinds): readonly Dependency[] | undefined {
    const inside = new Set(nodes)
    let best: readonly Dependency[] | undefined
    for (const node of nodes) {
      for (const edge of this.#edges[node] ?? []) {
        if (edge.kind !== once || !inside.has(edge.to)) continue
        const back = this.#path(edge.to, edge.from, inside, kinds, best === undefined ? Infinity : best.length - 2)
        if (back !== undefined) best = [edge, ...back]
        if (best?.length === 2) return best
      }
    }
    return best
  }

  /** A shortest way of at least one and at most `lengthMax` edges. */
  #path(from: number, to: number, inside: ReadonlySet<number>, kinds: Kinds, lengthMax: number): readonly Dependency[] | undefined {
    const reached = new Map<number, Dependency>()
    let border = [from]
    for (let length = 1; length <= lengthMax && border.length > 0; length += 1) {
      const next: number[] = []
      for (const node of border) {
        for (const edge of this.#edges[node] ?? []) {
          if (!kinds.has(edge.kind) || !inside.has(edge.to) || reached.has(edge.to)) continue
          reached.set(edge.to, edge)
          if (edge.to === to) return wayBack(reached, from, edge)
          next.push(edge.to)
        }
      }
      border = next
    }
    return undefined
  }
}

/** The edges that led to the last one, in order. */
function wayBack(reached: ReadonlyMap<number, Dependency>, from: number, last: Dependency): readonly Dependency[] {
  const way = [last]
  for (let edge = last; edge.from !== from;) {
    const before = reached.get(edge.from)
    if (before === undefined) break
    way.push(before)
    edge = before
  }
  return way.toReversed()
}
