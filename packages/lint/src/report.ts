/** The one sentence in which every rule reports. */
import type { Rule } from 'eslint'
import type { Ban } from './bans.ts'
import type { Node } from './syntax.ts'

/** The text of the message `banned`. */
export const banned = 'Product code does not use {{what}}: {{because}}. Use instead: {{instead}}.'

/** Reports a use of something banned. */
export function report(context: Rule.RuleContext, node: Node, what: string, { because, instead }: Ban): void {
  context.report({ node, messageId: 'banned', data: { what, because, instead } })
}
