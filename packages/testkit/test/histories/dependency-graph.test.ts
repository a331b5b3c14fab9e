import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DependencyGraph } from '../../src/histories/dependency-graph.ts'
import type { DependencyKind } from '../../src/histories/dependency-graph.ts'

const SIZE = 8
const kind = fc.constantFrom<DependencyKind>('ww', 'wr', 'rw')
const edges = fc.array(fc.record({ from: fc.nat({ max: SIZE - 1 }), to: fc.nat({ max: SIZE - 1 }), kind }), { maxLength: 24 })
const NODES = Array.from({ length: SIZE }, (_, node) => node)

/** Lengths of shortest ways of at least one edge, by trying all middles (Floyd and Warshall). */
function distances(
  list: readonly { readonly from: number; readonly to: number; readonly kind: DependencyKind }[],
  kinds: ReadonlySet<DependencyKind>,
): number[][] {
  const table = NODES.map(() => NODES.map(() => Infinity))
  for (const edge of list) if (kinds.has(edge.kind) && edge.from !== edge.to) table[edge.from]![edge.to] = 1
  for (const middle of NODES) {
    for (const from of NODES) {
      for (const to of NODES) table[from]![to] = Math.min(table[from]![to]!, table[from]![middle]! + table[middle]![to]!)
    }
  }
  return table
}

test('components and shortest cycles are those of a search through all ways', () => {
  fc.assert(
    fc.property(edges, fc.subarray<DependencyKind>(['ww', 'wr', 'rw'], { minLength: 1 }), (list, chosen) => {
      const kinds = new Set(chosen)
      const graph = new DependencyGraph(SIZE)
      for (const edge of list) graph.add({ ...edge, because: () => '' })
      const way = distances(list, kinds)
      const components = graph.components(NODES, kinds).map((component) => component.toSorted((one, other) => one - other).join(' '))
      const expected = new Set(
        NODES.filter((node) => way[node]![node]! < Infinity).map((node) =>
          NODES.filter((other) => other === node || way[node]![other]! + way[other]![node]! < Infinity).join(' '),
        ),
      )
      expect(new Set(components)).toEqual(expected)
      expect(components.length).toBe(expected.size)

      const cycle = graph.shortestCycle(NODES, kinds)
      expect(cycle?.length ?? Infinity).toBe(Math.min(...NODES.map((node) => way[node]![node]!)))
      for (const [position, edge] of (cycle ?? []).entries()) {
        expect(kinds.has(edge.kind)).toBe(true)
        expect(edge.to).toBe(cycle?.[(position + 1) % cycle.length]?.from)
      }
    }),
    { numRuns: 1_000 },
  )
})

test('a cycle with exactly one edge of a kind is the shortest of those', () => {
  fc.assert(
    fc.property(edges, (list) => {
      const others = new Set<DependencyKind>(['ww', 'wr'])
      const graph = new DependencyGraph(SIZE)
      for (const edge of list) graph.add({ ...edge, because: () => '' })
      const way = distances(list, others)
      const lengths = list.filter((edge) => edge.kind === 'rw' && edge.from !== edge.to).map(({ from, to }) => 1 + way[to]![from]!)
      const cycle = graph.shortestCycleWithOne('rw', NODES, others)
      expect(cycle?.length ?? Infinity).toBe(Math.min(Infinity, ...lengths))
      if (cycle !== undefined) expect(cycle.filter((edge) => edge.kind === 'rw')).toHaveLength(1)
    }),
    { numRuns: 1_000 },
  )
})
