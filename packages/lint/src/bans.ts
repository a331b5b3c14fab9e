/**
 * What product code may not reach for, and what it uses instead: the tables that the rules read. Nothing here looks at code.
 *
 * A name is written as it would be reached from the global object (`navigator.locks`), a module without `node:`.
 */

/** Why something is banned, and its replacement. Both are parts of one sentence of a report. */
export interface Ban {
  readonly because: string
  readonly instead: string
}

const thread: Ban = {
  because: 'it runs code on a thread that the system does not know',
  instead: "`turn({ on: 'pool' })` of an actor, or more shards",
}
const channel: Ban = {
  because: 'it carries messages that are neither ordered nor kept',
  instead: 'a `tell` or an `ask` to an actor',
}
const lock: Ban = {
  because: 'it guards state that several hold',
  instead: 'an actor that owns the state or, for a right that expires, `ref.lease(name)`',
}
const program: Ban = {
  because: 'a process started by hand outlives its owner',
  instead: '`process.run`, `process.spawn` or `process.session` inside a turn or an effect',
}
const database: Ban = {
  because: 'a database beside the system does not commit with it',
  instead: "an actor's state, which the system persists",
}
const timer: Ban = {
  because: 'it is forgotten in a crash, and fires between commands',
  instead: 'the action `setTimer` or `after` of a machine, or `delayMs` of a tell',
}
const signal: Ban = {
  because: 'how a program ends is decided in one place',
  instead: '`system.close()` in the program that opens the system, and `ref.cancelTurn` to end a turn',
}
const inside: Ban = {
  because: 'it is no part of the public API, and may change in any version',
  instead: '`@bailiwick/kernel` and `@bailiwick/actors`',
}
const testing: Ban = {
  because: 'it is for tests',
  instead: '`@bailiwick/kernel`; lint tests without this rule',
}

const modulesByBan: readonly (readonly [ban: Ban, modules: readonly string[]])[] = [
  [
    thread,
    [
      'worker_threads',
      'cluster',
      'comlink',
      'jest-worker',
      'node-worker-threads-pool',
      'piscina',
      'poolifier',
      'synckit',
      'threads',
      'tinypool',
      'workerpool',
    ],
  ],
  [
    lock,
    [
      'async-lock',
      'async-mutex',
      'async-rwlock',
      'async-sema',
      'await-lock',
      'await-semaphore',
      'fs-ext',
      'fs-native-extensions',
      'live-mutex',
      'lockfile',
      'locks',
      'mutexify',
      'os-lock',
      'p-mutex',
      'proper-lockfile',
      'redlock',
      'rwlock',
      'semaphore',
      'semaphore-async-await',
    ],
  ],
  [
    program,
    [
      'child_process',
      'cross-spawn',
      'execa',
      'foreground-child',
      'nano-spawn',
      'node-pty',
      'promisify-child-process',
      'shelljs',
      'spawndamnit',
      'tinyexec',
      'zx',
    ],
  ],
  [
    database,
    [
      '@libsql/client',
      'better-sqlite3',
      'better-sqlite3-multiple-ciphers',
      'bun:sqlite',
      'libsql',
      'node-sqlite3-wasm',
      'sql.js',
      'sqlite',
      'sqlite3',
    ],
  ],
  [timer, ['timers']],
  [signal, ['async-exit-hook', 'close-with-grace', 'death', 'exit-hook', 'signal-exit']],
]

const banByModule: ReadonlyMap<string, Ban> = new Map(modulesByBan.flatMap(([ban, modules]) => modules.map((name) => [name, ban] as const)))

/** Of our own packages, those that product code may import, by exactly this name. */
const publicPackages: ReadonlySet<string> = new Set(['@bailiwick/kernel', '@bailiwick/actors'])

/** Names that are reached from anywhere, by the rule `no-raw-globals`. */
export const bannedGlobals: ReadonlyMap<string, Ban> = new Map([
  ['Worker', thread],
  ['SharedWorker', thread],
  ['MessageChannel', channel],
  ['BroadcastChannel', channel],
  ['Atomics', lock],
  ['SharedArrayBuffer', lock],
  ['navigator.locks', lock],
  ['setTimeout', timer],
  ['setInterval', timer],
  ['setImmediate', timer],
  ['clearTimeout', timer],
  ['clearInterval', timer],
  ['clearImmediate', timer],
])

/** Names that are reached from anywhere, by the rule `no-process-signals`. */
export const bannedSignalNames: ReadonlyMap<string, Ban> = new Map([['process.kill', signal]])

/** The ban on listening for a signal. */
export const signalBan: Ban = signal

/** The ban on a module, by what an import calls it, a file inside a package included. */
export function banOfModule(specifier: string): Ban | undefined {
  const name = nameOfModule(specifier)
  if (name === '@bailiwick/testkit') return testing
  if (name.startsWith('@bailiwick/')) return publicPackages.has(name) ? undefined : inside
  return banByModule.get(name) ?? banByModule.get(packageOf(name))
}

/** A module's name without `node:`, and without the way to it through `node_modules`. */
export function nameOfModule(specifier: string): string {
  return specifier.replace(/^.*\/node_modules\//, '').replace(/^node:/, '')
}

function packageOf(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')
}
