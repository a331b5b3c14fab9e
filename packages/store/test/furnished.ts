/** Directories with something of everything in them, in every state in which somebody may look at them; and other programs. */
import { spawn } from 'node:child_process'
import type { SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, cpSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { Batch, ImmediateShardStore, OwnedDirectory } from '../src/index.ts'
import { bytesOf, open, temporaryDirectory } from './place.ts'
import type { OwnerProcess } from './place.ts'
import { account, batch } from './rows.ts'

/** Everything that shard 0 of a furnished directory holds. */
export const furniture: Batch = batch({
  created: [account(1), account(2), { ...account(3), type: 'order', key: '1' }],
  journal: [{ actor: 2, sequence: 2, at: 1_000, event: '{"type":"paid"}' }],
  accepted: [command(1, 'account', '1', 500), command(2, 'order', '1', 700), { ...command(3, 'account', '1', 800), dueAt: 9_000 }],
  outcomes: [{ scope: 'account/1', key: 'k', fingerprint: 'f', outcome: '{"value":1}', expiresAt: 5_000 }],
  timersSet: [timer(1, 'late', 1, 7_000), timer(2, 'soon', 2, 3_000), timer(3, 'never', 3, 8_000)],
  callsOpened: [{ sequence: 4, actor: 1, detail: '{"call":1}' }],
  turns: [{ sequence: 5, actor: 1, command: 'think', isEnded: false, detail: '{"rank":1}' }],
  frames: [{ turn: 5, frame: '{"step":3}' }],
  leases: [{ actor: 1, name: 'printer', epoch: 4, detail: '{"holder":"me"}' }],
  lateResults: [{ sequence: 6, type: 'account', key: '1', epoch: 1, detail: '{}', at: 900 }],
  processes: [{ sequence: 7, detail: '{"pid":1}' }],
  outbox: [{ peer: 1, sequence: 1, message: '{"m":1}' }],
  effects: [effect(8, 'account', '1'), effect(9, 'order', '1')],
  deadLetters: [letter(10, 'account', '1', 600)],
})

/** Opens a directory with two shards and puts the furniture in. The shards are open until the test ends. */
export function furnish(directory: string): { readonly owned: OwnedDirectory; readonly shards: readonly ImmediateShardStore[] } {
  const owned = open(directory)
  const shards = [0, 1].map((index) => owned.open(index))
  onTestFinished(() => {
    for (const shard of shards) shard.close()
  })
  shards[0]?.commit(furniture)
  shards[1]?.commit(
    batch({
      created: [{ ...account(1), key: '7' }],
      accepted: [command(1, 'account', '7', 600)],
      timersSet: [timer(1, 'mid', 1, 5_000)],
      effects: [effect(2, 'account', '7')],
      deadLetters: [letter(3, 'account', '7', 700)],
      received: [{ peer: 0, through: 0 }],
    }),
  )
  return { owned, shards }
}

/** A directory that its owner has closed. */
export function closedStore(): string {
  const directory = temporaryDirectory()
  const { owned, shards } = furnish(directory)
  for (const shard of shards) shard.close()
  owned.release()
  return directory
}

/** A directory as a killed owner leaves it: everything is in the WALs. */
export function killedStore(): string {
  const root = temporaryDirectory()
  furnish(join(root, 'living'))
  cpSync(join(root, 'living'), join(root, 'killed'), { recursive: true })
  return join(root, 'killed')
}

/** The bytes of a directory without SQLite's shared memory, which is scratch space, and without logs that are empty. */
export function contentOf(directory: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(bytesOf(directory)).filter(([name, bytes]) => !name.endsWith('-shm') && !(name.endsWith('-wal') && bytes === '')),
  )
}

/** Writes bytes over those of a file. */
export function overwrite(file: string, position: number, bytes: Buffer): void {
  const descriptor = openSync(file, 'r+')
  writeSync(descriptor, bytes, 0, bytes.length, position)
  closeSync(descriptor)
}

/** Starts one of the programs in `fixtures`; it is killed after the test at the latest. */
export function startProgram(name: string, args: readonly string[], options: Pick<SpawnOptions, 'uid' | 'gid'> = {}): OwnerProcess {
  const program = fileURLToPath(new URL(`fixtures/${name}.ts`, import.meta.url))
  const child = spawn(process.execPath, [program, ...args], { stdio: ['pipe', 'pipe', 'inherit'], ...options })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const gone = once(child, 'exit')
  onTestFinished(() => void child.kill('SIGKILL'))
  return {
    child,
    line: async () => {
      const next = await lines.next()
      if (next.done === true) throw new Error(`${name} has ended and says no more`)
      return JSON.parse(next.value) as Record<string, unknown>
    },
    kill: async () => {
      child.kill('SIGKILL')
      await gone
    },
  }
}

function command(sequence: number, type: string, key: string, at: number): Batch['accepted'][number] {
  const rest = { idempotency: undefined, dueAt: undefined, detail: undefined }
  return { sequence, id: `c${sequence}`, type, key, command: 'pay', lane: 2, input: '{"sum":1}', at, ...rest }
}

function timer(actor: number, name: string, generation: number, dueAt: number): Batch['timersSet'][number] {
  return { actor, name, generation, dueAt, event: '{"type":"tick"}', delayMs: 10, everyMs: 0, onRestart: 'deadline' }
}

function effect(sequence: number, type: string, key: string): Batch['effects'][number] {
  const rest = { label: undefined, detail: undefined, turn: undefined, attempts: 0 }
  return { sequence, name: 'mail', idempotencyKey: `e${sequence}`, type, key, input: '{"to":"you"}', dueAt: 2_000, ...rest }
}

function letter(sequence: number, type: string, key: string, at: number): Batch['deadLetters'][number] {
  const rest = { naturalKey: undefined, revision: undefined, detail: '{}' }
  return { sequence, type, key, command: 'pay', reason: 'rejected', error: '{"code":"NO"}', input: '{}', at, ...rest }
}
