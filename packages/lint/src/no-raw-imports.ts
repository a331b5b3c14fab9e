/** The rule against modules that bring raw concurrency, in whatever way they are loaded. What is only a type is erased, and allowed. */
import type { Rule } from 'eslint'
import { banOfModule } from './bans.ts'
import { Origins } from './origins.ts'
import { banned, report } from './report.ts'
import { isTypeOnly } from './syntax.ts'
import type { Node, NodeOf, SyntaxNode } from './syntax.ts'

export const noRawImports: Rule.RuleModule = {
  meta: {
    type: 'problem',
    docs: { description: 'Bans modules for threads, locks, processes, databases, timers and signals, and the inside of Bailiwick.' },
    schema: [],
    messages: { banned },
  },
  create(context) {
    const origins = new Origins(context.sourceCode)

    const check = (node: Node, module: string | undefined): void => {
      const ban = module === undefined ? undefined : banOfModule(module)
      if (module !== undefined && ban !== undefined) report(context, node, module, ban)
    }
    const checkSource = (node: Node, source: Node | null | undefined): void => {
      if (source !== null && source !== undefined && !isTypeOnly(node)) check(node, origins.text(source))
    }

    return {
      ImportDeclaration(node) {
        if (!isErased(node)) checkSource(node, node.source)
      },
      ExportNamedDeclaration(node) {
        checkSource(node, node.source)
      },
      ExportAllDeclaration(node) {
        checkSource(node, node.source)
      },
      ImportExpression(node) {
        check(node, origins.module(node))
      },
      CallExpression(node) {
        check(node, origins.module(node))
      },
      TSImportEqualsDeclaration(node: Node) {
        const source = sourceOfImportEquals(node)
        if (source !== undefined) check(node, origins.text(source))
      },
    }
  },
}

/** Whether each name of an import is a type. An import without names runs the module. */
function isErased({ specifiers }: NodeOf<'ImportDeclaration'>): boolean {
  return specifiers.length > 0 && specifiers.every(isTypeOnly)
}

function sourceOfImportEquals(node: SyntaxNode): SyntaxNode | undefined {
  if (node.type !== 'TSImportEqualsDeclaration' || isTypeOnly(node)) return undefined
  return node.moduleReference.type === 'TSExternalModuleReference' ? node.moduleReference.expression : undefined
}
