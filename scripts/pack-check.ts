/**
 * Proves that what would be published works: builds, packs, asks publint about each tarball, installs the tarballs in an
 * empty folder, and there runs the command line and runs and type-checks the plain JavaScript program of scripts/consumer on them.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publishedPackages, root, run } from './packages.ts'

const scratch = mkdtempSync(join(tmpdir(), 'bailiwick-pack-'))
process.on('exit', () => {
  rmSync(scratch, { recursive: true, force: true })
})

run('node', ['scripts/build.ts'])

const tarballs = join(scratch, 'tarballs')
mkdirSync(tarballs)
const published = publishedPackages()
for (const { folder } of published) run('pnpm', ['pack', '--pack-destination', tarballs], folder)
const files = readdirSync(tarballs).map((file) => join(tarballs, file))
if (files.length !== published.length) throw new Error(`${published.length} packages gave ${files.length} tarballs`)
for (const file of files) run('publint', ['run', '--strict', file])

const consumer = join(scratch, 'consumer')
cpSync(join(root, 'scripts/consumer'), consumer, { recursive: true })
writeFileSync(join(consumer, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
run('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', ...files], consumer)
run('node', ['main.js'], consumer)
run(join(consumer, 'node_modules/.bin/bailiwick'), ['--version'], consumer)
run('tsc', ['-p', '.', '--typeRoots', join(root, 'node_modules/@types')], consumer)
