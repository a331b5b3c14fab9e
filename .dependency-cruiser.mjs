// Which module may import which. The arrows: examples → actors → kernel → store; inspector → kernel; testkit, cli → kernel, store; the tests of examples, and those that show testing → testkit.
// test/ and bench/ may import every package.

/** The only packages of ours that a package may import. */
const arrows = {
  store: [],
  kernel: ['store'],
  actors: ['kernel'],
  inspector: ['kernel'],
  testkit: ['kernel', 'store'],
  cli: ['kernel', 'store'],
  lint: [],
  examples: ['actors', 'kernel', 'testkit'],
}

const arrowRules = Object.entries(arrows).map(([name, allowed]) => ({
  name: `arrow-${name}`,
  comment: `${name} may import, of our packages, only: ${allowed.join(', ') || 'none'}.`,
  severity: 'error',
  from: { path: `^packages/${name}/(?!test/)` },
  to: { path: '^(packages|test|bench|scripts)/', pathNot: [`^packages/${name}/`, ...allowed.map((other) => `^packages/${other}/`)] },
}))

/** Modules that may stand alone, because something else starts them. What nobody reaches at all is knip's business (`pnpm dead`). */
const started = ['[.]test[.]ts$', '[.]test-d[.]ts$', '/src/index[.]ts$', '/fixtures/', '^(packages/examples|test|bench|scripts)/']

export default {
  forbidden: [
    ...arrowRules,
    {
      name: 'no-cycle',
      comment: 'Modules form layers, inside a package too. Types count: a cycle of types is a cycle of ideas.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-deep-import',
      comment: "Another package is its index, and nothing else. Import '@bailiwick/<name>'.",
      severity: 'error',
      from: { path: '^(packages/[^/]+|test|bench|scripts)/' },
      to: { path: '^packages/[^/]+/', pathNot: ['^$1/', '^packages/[^/]+/src/index[.]ts$', '^packages/kernel/src/seams/index[.]ts$'] },
    },
    {
      name: 'seams-only-for-tests',
      comment: "The kernel's seams are for test kits and tests; programs import '@bailiwick/kernel'.",
      severity: 'error',
      from: { path: '^packages/(?!kernel/|testkit/)' },
      to: { path: '^packages/kernel/src/seams/index[.]ts$' },
    },
    {
      name: 'no-relative-import-of-a-package',
      comment: "Another package is imported by its name: '@bailiwick/<name>'.",
      severity: 'error',
      from: { path: '^(packages/[^/]+|test|bench|scripts)/' },
      to: { path: '^packages/[^/]+/', pathNot: '^$1/', dependencyTypes: ['local'] },
    },
    {
      name: 'no-test-in-source',
      comment: 'Sources do not import tests.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { path: ['/test/', '[.]test(-d)?[.]ts$'] },
    },
    {
      name: 'threads-only-in-seams',
      comment: 'Of the sources, only packages/kernel/src/seams reaches threads and processes.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: '^packages/(kernel/src/seams|testkit/src)/' },
      to: { path: '^(node:)?(worker_threads|child_process|cluster)$', dependencyTypes: ['core'] },
    },
    {
      name: 'pool-only-in-seams',
      comment: 'Of the sources, only packages/kernel/src/seams reaches the pool of threads.',
      severity: 'error',
      from: { path: '^packages/', pathNot: ['^packages/kernel/src/seams/', '/test/'] },
      to: { path: '(^|/)piscina/' },
    },
    {
      name: 'sql-only-in-store',
      comment: 'Of the sources, only the store reaches SQLite.',
      severity: 'error',
      from: { path: '^packages/(?!store/)', pathNot: '/test/' },
      to: { path: ['(^|/)better-sqlite3/', '^(node:)?sqlite$'] },
    },
    {
      name: 'xstate-only-in-hosting',
      comment:
        "XState's own interfaces meet the kernel in one folder, so that its next version slots in there. Types of the public API may name it.",
      severity: 'error',
      from: {
        path: '^packages/kernel/src/',
        pathNot: ['^packages/kernel/src/hosting/', '^packages/kernel/src/definition/', '^packages/kernel/src/index[.]ts$'],
      },
      to: { path: '(^|/)xstate/', dependencyTypesNot: ['type-only', 'npm-peer'] },
    },
    {
      name: 'examples-are-self-contained',
      comment: 'An example is what a reader can copy: the public API, xstate, zod, their data and Node.js.',
      severity: 'error',
      from: { path: '^packages/examples/(?!test/|testing/)' },
      to: {
        dependencyTypesNot: ['core', 'local', 'type-only'],
        pathNot: ['^packages/(kernel|actors|examples)/', '(^|/)(xstate|zod|@octokit/webhooks-examples)/'],
      },
    },
    {
      name: 'no-orphan',
      comment: 'A module that nobody imports and nothing starts.',
      severity: 'error',
      from: { orphan: true, pathNot: started },
      to: {},
    },
    {
      name: 'not-resolvable',
      comment: 'The imported module does not exist.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'dependency-declared',
      comment: 'What a package imports stands in its own package.json; what its sources import, under dependencies or peer dependencies.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'], dependencyTypesNot: ['type-only', 'npm-peer'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['^packages/[^/]+/dist/', '^packages/lint/test/fixtures/', '^scripts/consumer/'] },
    // Types are dependencies too.
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.mjs', '.js', '.json'],
    },
    detectProcessBuiltinModuleCalls: true,
    reporterOptions: { text: { highlightFocused: true } },
  },
}
