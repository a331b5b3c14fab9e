/** What a linter reports on files, from ESLint and from oxlint in one shape. Both run as their users run them. */
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { ESLint } from 'eslint'
import type { Linter } from 'eslint'
import plugin from '@bailiwick/lint'

const fixtures = join(import.meta.dirname, 'fixtures')
const repository = join(import.meta.dirname, '../../..')

export interface Report {
  readonly line: number
  /** `plugin/rule`, or undefined for a file that cannot be read. */
  readonly rule: string | undefined
  readonly message: string
}

/** Reports by file. A file without any is there too. */
export type Reports = ReadonlyMap<string, readonly Report[]>

/** Runs ESLint with the recommended settings. Its own parser reads JavaScript only. */
export async function reportsOfEslint(files: readonly string[]): Promise<Reports> {
  const common: Linter.Config = { files: ['**/*.cjs'], languageOptions: { sourceType: 'commonjs' } }
  const eslint = new ESLint({ cwd: fixtures, overrideConfigFile: true, overrideConfig: [plugin.configs.recommended, common] })
  const results = await eslint.lintFiles([...files])
  return new Map(
    results.map(({ filePath, messages }) => [
      filePath,
      messages.map(({ line, ruleId, message }) => ({ line, rule: ruleId ?? undefined, message })),
    ]),
  )
}

/** Runs oxlint, by default with the settings of the README. */
export function reportsOfOxlint(files: readonly string[], directory: string = fixtures, settings = 'oxlint.json'): Reports {
  const program = join(repository, 'node_modules/oxlint/bin/oxlint')
  const args = [program, '--config', settings, '--format', 'json', ...files]
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: directory, encoding: 'utf8' })
  if (!stdout.startsWith('{')) throw new Error(`oxlint: ${stdout}${stderr}`)
  const { diagnostics, number_of_files: count } = JSON.parse(stdout) as OxlintOutput
  if (count !== files.length) throw new Error(`oxlint read ${count} of ${files.length} files`)
  const reports = new Map<string, Report[]>(files.map((file) => [file, []]))
  for (const { filename, code, labels, message } of diagnostics) {
    const rule = code?.replace(/^(.*)\((.*)\)$/, '$1/$2')
    reports.get(join(directory, filename))?.push({ line: labels[0]?.span.line ?? 0, rule, message })
  }
  return reports
}

interface OxlintOutput {
  readonly number_of_files: number
  readonly diagnostics: readonly {
    readonly filename: string
    readonly code?: string
    readonly message: string
    readonly labels: readonly { readonly span: { readonly line: number } }[]
  }[]
}

/** The fixtures of a folder with one of the extensions. */
export function fixturesOf(folder: 'good' | 'bad', extensions: readonly string[]): readonly string[] {
  const files = globSync(`${folder}/*`, { cwd: fixtures }).filter((file) => extensions.some((extension) => file.endsWith(extension)))
  if (files.length === 0) throw new Error(`no fixture in ${folder}`)
  return files.toSorted().map((file) => join(fixtures, file))
}
