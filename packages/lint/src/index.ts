/**
 * Bailiwick's rules for product code, a plugin for ESLint that oxlint loads as well. The rules look at names and modules,
 * not at types; what is banned stands in `bans.ts`.
 */
import type { ESLint, Linter } from 'eslint'
import { noProcessSignals } from './no-process-signals.ts'
import { noRawGlobals } from './no-raw-globals.ts'
import { noRawImports } from './no-raw-imports.ts'

/** The plugin, with its settings for ESLint. */
export interface LintPlugin extends ESLint.Plugin {
  readonly configs: { readonly recommended: Linter.Config }
}

const plugin: LintPlugin = {
  // By this name oxlint knows the rules.
  meta: { name: 'bailiwick', namespace: 'bailiwick' },
  rules: { 'no-raw-imports': noRawImports, 'no-raw-globals': noRawGlobals, 'no-process-signals': noProcessSignals },
  configs: {
    recommended: {
      name: 'bailiwick/recommended',
      get plugins() {
        return { bailiwick: plugin }
      },
      rules: { 'bailiwick/no-raw-imports': 'error', 'bailiwick/no-raw-globals': 'error', 'bailiwick/no-process-signals': 'error' },
    },
  },
}

export default plugin
