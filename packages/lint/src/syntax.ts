/**
 * The nodes of TypeScript that the rules meet, beside those of ESTree that ESLint's types know, and small questions about nodes.
 * Without TypeScript's parser there are none of them, and nothing here asks for it.
 */
import type { Scope } from 'eslint'

/** A node of ESTree, as ESLint's types have it. */
export type Node = Scope.Scope['block']

/** The node of one kind. */
export type NodeOf<Type extends Node['type']> = Extract<Node, { type: Type }>

/** An expression of TypeScript that is another one with a word about its type. */
interface TypedExpression {
  readonly type: 'TSAsExpression' | 'TSInstantiationExpression' | 'TSNonNullExpression' | 'TSSatisfiesExpression' | 'TSTypeAssertion'
  readonly expression: SyntaxNode
}

/** `import name = require('module')`, or an alias of a namespace. */
export interface ImportEquals {
  readonly type: 'TSImportEqualsDeclaration'
  readonly importKind?: 'type' | 'value'
  readonly moduleReference: SyntaxNode | { readonly type: 'TSExternalModuleReference'; readonly expression: SyntaxNode }
}

/** A node of a type, where the name of a value is erased. */
interface TypeNode {
  readonly type: 'TSClassImplements' | 'TSInterfaceHeritage' | 'TSQualifiedName' | 'TSTypeQuery' | 'TSTypeReference'
}

export type SyntaxNode = Node | TypedExpression | ImportEquals | TypeNode

/** Whether what stands directly in this node is erased. */
export function isType(node: SyntaxNode | undefined): boolean {
  switch (node?.type) {
    case 'TSClassImplements':
    case 'TSInterfaceHeritage':
    case 'TSQualifiedName':
    case 'TSTypeQuery':
    case 'TSTypeReference':
      return true
    default:
      return false
  }
}

/** Whether an import, an export or one of its names is written with `type`. */
export function isTypeOnly(node: SyntaxNode): boolean {
  return ('importKind' in node && node.importKind === 'type') || ('exportKind' in node && node.exportKind === 'type')
}

/** The name by which another module is asked for something. */
export function exportedName(node: Node): string | undefined {
  if (node.type === 'Identifier') return node.name
  return node.type === 'Literal' && typeof node.value === 'string' ? node.value : undefined
}

/** What is bound, without its default value. */
export function withoutDefault(pattern: Node): Node {
  return pattern.type === 'AssignmentPattern' ? pattern.left : pattern
}
