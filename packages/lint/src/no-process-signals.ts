/**
 * The rule against signals: listening for one, and sending one to a process by its number. An event of `process` whose name
 * is not known without running the program counts as a signal, for lists of signals are the usual case.
 */
import type { Rule } from 'eslint'
import { bannedSignalNames, signalBan } from './bans.ts'
import { listenForNames, ofExport, Origins } from './origins.ts'
import { banned, report } from './report.ts'
import { exportedName, isTypeOnly } from './syntax.ts'
import type { Node, NodeOf } from './syntax.ts'

const listening: ReadonlySet<string> = new Set(
  ['on', 'once', 'addListener', 'prependListener', 'prependOnceListener'].map((name) => `process.${name}`),
)

export const noProcessSignals: Rule.RuleModule = {
  meta: {
    type: 'problem',
    docs: { description: 'Bans listening for signals of the process, and sending them.' },
    schema: [],
    messages: { banned },
  },
  create(context) {
    const origins = new Origins(context.sourceCode)

    const checkName = (node: Node, path: string): void => {
      const ban = bannedSignalNames.get(path)
      if (ban !== undefined) report(context, node, path, ban)
    }
    const checkSpecifier = (node: Node, module: unknown, asked: Node): void => {
      const name = exportedName(asked)
      if (typeof module === 'string' && name !== undefined && !isTypeOnly(node)) checkName(node, ofExport(module, name))
    }

    return {
      ...listenForNames(context, ({ node, path }) => checkName(node, path)),
      ImportDeclaration(node) {
        if (isTypeOnly(node)) return
        for (const specifier of node.specifiers) {
          if (specifier.type === 'ImportSpecifier') checkSpecifier(specifier, node.source.value, specifier.imported)
        }
      },
      ExportNamedDeclaration(node) {
        if (isTypeOnly(node)) return
        for (const specifier of node.specifiers) checkSpecifier(specifier, node.source?.value, specifier.local)
      },
      CallExpression(node) {
        const signal = listenedSignal(node, origins)
        if (signal !== undefined) report(context, node, signal, signalBan)
      },
    }
  },
}

/** The signal that a call waits for: `process.on('SIGINT', …)`, or `once(process, 'SIGINT')` of another module. */
function listenedSignal({ callee, arguments: given }: NodeOf<'CallExpression'>, origins: Origins): string | undefined {
  const isListening = listening.has(origins.of(callee) ?? '')
  const event = isListening ? given[0] : given[1]
  if (event === undefined || !(isListening || isProcess(given[0], origins))) return undefined
  const name = origins.text(event)
  if (name === undefined) return isListening ? 'an event that may be a signal' : undefined
  return name.startsWith('SIG') ? name : undefined
}

function isProcess(node: Node | undefined, origins: Origins): boolean {
  return node !== undefined && origins.of(node) === 'process'
}
