/** The packages that are published, and how scripts run a program. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** The repository's root. */
export const root = join(import.meta.dirname, '..')

/** A package that is published. */
export interface PublishedPackage {
  readonly name: string
  readonly folder: string
}

/** Every package that is not private, by name. */
export function publishedPackages(): PublishedPackage[] {
  const published: PublishedPackage[] = []
  for (const entry of readdirSync(join(root, 'packages'), { withFileTypes: true })) {
    const folder = join(root, 'packages', entry.name)
    if (!existsSync(join(folder, 'package.json'))) continue
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name: string; private?: boolean }
    if (manifest.private !== true) published.push({ name: manifest.name, folder })
  }
  return published
}

/** Runs a program to its end, its output on ours. Ends this process with its exit code if it fails. */
export function run(command: string, args: readonly string[], cwd: string = root): void {
  console.log(`$ ${command} ${args.join(' ')}`)
  // On Windows programs of packages are .cmd files, which only a shell starts.
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit', shell: process.platform === 'win32' })
  if (error !== undefined) throw error
  if (status !== 0) process.exit(status ?? 1)
}
