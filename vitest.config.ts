import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import type { TestProjectConfiguration } from 'vitest/config'

/** Long suites run only when asked for: `pnpm test:slow`. */
const slow = process.env['BAILIWICK_SLOW'] === '1'

const modules = '**/node_modules/**'

// Node.js keeps what it has compiled, for each file's content: the processes and threads of the tests start in a third of the time.
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(new URL('node_modules/.cache/node-compile', import.meta.url))

/** Specs of one package. They start no thread that has to be alone on the machine. */
const unit: TestProjectConfiguration = {
  extends: true,
  test: {
    name: 'unit',
    include: ['packages/*/test/**/*.test.ts'],
    exclude: [modules],
    // vitest leaves one core to itself; of two that is too many.
    maxWorkers: 2,
    testTimeout: 20_000,
    sequence: { groupOrder: 0 },
  },
}

/** What crosses packages, with real threads and processes. */
const threads: TestProjectConfiguration = {
  extends: true,
  test: {
    name: 'threads',
    include: ['test/**/*.test.ts'],
    exclude: [modules, 'test/crash/**', 'test/concurrency/**', '**/*.slow.test.ts'],
    // They mostly wait.
    maxWorkers: 3,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    sequence: { groupOrder: 1 },
  },
}

/** Processes are killed and disks filled; what they promise does not depend on what else runs. */
const crash: TestProjectConfiguration = {
  extends: true,
  test: {
    name: 'crash',
    include: ['test/crash/**/*.test.ts'],
    exclude: [modules, '**/*.slow.test.ts'],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    sequence: { groupOrder: 2 },
  },
}

/** Simulated schedules by the ten thousand: they want a core each, while the crash suite mostly waits. */
const concurrency: TestProjectConfiguration = {
  extends: true,
  test: {
    name: 'concurrency',
    include: ['test/concurrency/**/*.test.ts'],
    exclude: [modules, '**/*.slow.test.ts'],
    maxWorkers: 2,
    testTimeout: 180_000,
    sequence: { groupOrder: 2 },
  },
}

/** Types: a call that must not compile, a reply that is inferred. Read by the compiler, never run. */
const types: TestProjectConfiguration = {
  extends: true,
  test: {
    name: 'types',
    include: [],
    typecheck: {
      enabled: true,
      only: true,
      include: ['packages/*/test/**/*.test-d.ts', 'test/**/*.test-d.ts'],
      exclude: [modules],
      tsconfig: 'tsconfig.types.json',
      // An error elsewhere is the business of `pnpm types`.
      ignoreSourceErrors: true,
    },
    sequence: { groupOrder: 0 },
  },
}

/** Suites that take minutes, one file at a time. */
const slowOnes: TestProjectConfiguration = {
  extends: true,
  test: {
    name: 'slow',
    include: ['test/**/*.slow.test.ts'],
    exclude: [modules],
    fileParallelism: false,
    maxWorkers: 1,
    testTimeout: 15 * 60_000,
    hookTimeout: 60_000,
    sequence: { groupOrder: 4 },
  },
}

export default defineConfig({
  test: {
    pool: 'forks',
    // Tests of a file that run at the same time mostly wait; more of them would disturb those that measure.
    maxConcurrency: 2,
    // Node.js itself loads tests and sources, as it does in a program and in a worker thread: no second copy of a module, real file URLs.
    experimental: { viteModuleRunner: false, nodeLoader: false },
    projects: [unit, threads, crash, concurrency, types, ...(slow ? [slowOnes] : [])],
  },
})
