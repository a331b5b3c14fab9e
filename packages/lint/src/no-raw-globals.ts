/** The rule against globals that bring raw concurrency. A name that the file itself defines is its own, and allowed. */
import type { Rule } from 'eslint'
import { bannedGlobals } from './bans.ts'
import { listenForNames } from './origins.ts'
import { banned, report } from './report.ts'

export const noRawGlobals: Rule.RuleModule = {
  meta: {
    type: 'problem',
    docs: { description: 'Bans raw timers, shared memory, locks and threads that are globals.' },
    schema: [],
    messages: { banned },
  },
  create(context) {
    return listenForNames(context, ({ node, path }) => {
      const ban = bannedGlobals.get(path)
      if (ban !== undefined) report(context, node, path, ban)
    })
  },
}
