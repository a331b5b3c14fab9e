/** The public surface of `@bailiwick/testkit`. */

// Testing actors
export { TestWorld } from './test-world.ts'
export type { TestSystemOptions, TestWorldOptions } from './test-world.ts'
export { VirtualClock } from './virtual-clock.ts'

// Testing stores
export { laterStore } from './later-store.ts'
export { storeConformance } from './store-conformance.ts'
export type { StoreConformanceRunner, StorePlace } from './store-conformance.ts'
