/** Emits the published packages to their `dist`, from nothing: a file whose source is gone must not be packed. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { publishedPackages, run } from './packages.ts'

const folders = publishedPackages().map((published) => published.folder)
for (const folder of folders) {
  rmSync(join(folder, 'dist'), { recursive: true, force: true })
  rmSync(join(folder, 'tsconfig.tsbuildinfo'), { force: true })
}
run('tsc', ['-b', ...folders])
