/**
 * Says where a value in a file comes from: which global, or which module, by whatever name the file calls it. It follows
 * constants, destructuring, `import`, `require` and `process.getBuiltinModule`, and sees when a name is the file's own.
 *
 * It does not follow values through functions, objects or reassigned variables.
 */
import type { Rule, Scope, SourceCode } from 'eslint'
import { nameOfModule } from './bans.ts'
import { exportedName, isType, withoutDefault } from './syntax.ts'
import type { Node, NodeOf, SyntaxNode } from './syntax.ts'

/** The global object has the empty path. */
const GLOBAL_OBJECT = ''
const globalObjects: ReadonlySet<string> = new Set(['globalThis', 'global', 'window', 'self'])
/** Before the name of a module. No global has such a name. */
const MODULE = 'module:'

/**
 * A dotted name: of a global, as it is reached from the global object (`navigator.locks`), or of what a module exports
 * (`module:events.once`). The module `process` is the global.
 */
type Path = string

/** A path, and the place where it is named. */
export interface Named {
  readonly node: Node
  readonly path: Path
}

export class Origins {
  /** The variable of each name, where there is one in the file. */
  readonly #variables = new Map<Node, Scope.Variable>()
  readonly #globals = new Set<NodeOf<'Identifier'>>()

  constructor(sourceCode: SourceCode) {
    for (const { identifier, resolved } of sourceCode.scopeManager.scopes.flatMap((scope) => scope.references)) {
      if (identifier.type !== 'Identifier' || isErased(identifier)) continue
      // A global that the parser or the settings know is a variable that nothing in the file defines.
      if (resolved === null || (resolved.scope.type === 'global' && resolved.defs.length === 0)) this.#globals.add(identifier)
      else this.#variables.set(identifier, resolved)
    }
  }

  /** Every use of a global by its name. */
  *globals(): Generator<Named> {
    for (const node of this.#globals) yield { node, path: ofGlobal(node.name) }
  }

  /** Where a value comes from, or undefined. */
  of(node: SyntaxNode): Path | undefined {
    return this.#of(node, new Set())
  }

  /** Everything that an object pattern takes out of a value, by its path. */
  *taken(pattern: NodeOf<'ObjectPattern'>, from: Path): Generator<Named> {
    for (const property of pattern.properties) {
      if (property.type === 'RestElement') continue
      const path = this.#ofProperty(property, from)
      if (path === undefined) continue
      yield { node: property, path }
      const value = withoutDefault(property.value)
      if (value.type === 'ObjectPattern') yield* this.taken(value, path)
    }
  }

  /** A text that is known without running the program. */
  text(node: SyntaxNode): string | undefined {
    return this.#text(node, new Set())
  }

  /** The module that a call or an `import()` answers with. */
  module(node: SyntaxNode): string | undefined {
    return this.#module(node, new Set())
  }

  /** `seen` has the variables on the way here, which may stand in a circle. */
  #of(node: SyntaxNode, seen: ReadonlySet<Scope.Variable>): Path | undefined {
    switch (node.type) {
      case 'Identifier':
        return this.#globals.has(node) ? ofGlobal(node.name) : this.#ofVariable(node, seen)
      case 'MemberExpression': {
        const from = this.#of(node.object, seen)
        const name = node.computed ? this.#text(node.property, seen) : exportedName(node.property)
        return from === undefined || name === undefined ? undefined : join(from, name)
      }
      case 'ImportExpression':
      case 'CallExpression': {
        const module = this.#module(node, seen)
        if (module !== undefined) return ofModule(module)
        // What it answers with is as good as the global.
        return node.type === 'CallExpression' && this.#of(node.callee, seen) === 'module:module.createRequire' ? 'require' : undefined
      }
      case 'AwaitExpression':
        return this.#of(node.argument, seen)
      case 'ChainExpression':
      case 'TSAsExpression':
      case 'TSInstantiationExpression':
      case 'TSNonNullExpression':
      case 'TSSatisfiesExpression':
      case 'TSTypeAssertion':
        return this.#of(node.expression, seen)
      default:
        return undefined
    }
  }

  #text(node: SyntaxNode, seen: ReadonlySet<Scope.Variable>): string | undefined {
    switch (node.type) {
      case 'Literal':
        return typeof node.value === 'string' ? node.value : undefined
      case 'TemplateLiteral': {
        const texts = node.expressions.map((expression) => this.#text(expression, seen))
        if (texts.includes(undefined)) return undefined
        return node.quasis.map(({ value }, index) => (value.cooked ?? '') + (texts[index] ?? '')).join('')
      }
      case 'BinaryExpression': {
        if (node.operator !== '+') return undefined
        const left = this.#text(node.left, seen)
        const right = this.#text(node.right, seen)
        return left === undefined || right === undefined ? undefined : left + right
      }
      case 'Identifier': {
        const variable = this.#variables.get(node)
        const value = variable !== undefined && !seen.has(variable) ? valueOf(variable) : undefined
        return variable !== undefined && value?.id.type === 'Identifier' ? this.#text(value.init, new Set([...seen, variable])) : undefined
      }
      case 'TSAsExpression':
      case 'TSNonNullExpression':
      case 'TSSatisfiesExpression':
      case 'TSTypeAssertion':
        return this.#text(node.expression, seen)
      default:
        return undefined
    }
  }

  #module(node: SyntaxNode, seen: ReadonlySet<Scope.Variable>): string | undefined {
    if (node.type === 'ImportExpression') return this.#text(node.source, seen)
    if (node.type !== 'CallExpression') return undefined
    const callee = this.#of(node.callee, seen)
    if (callee !== 'require' && callee !== 'module.require' && callee !== 'process.getBuiltinModule') return undefined
    const [specifier] = node.arguments
    return specifier === undefined ? undefined : this.#text(specifier, seen)
  }

  #ofVariable(identifier: NodeOf<'Identifier'>, seen: ReadonlySet<Scope.Variable>): Path | undefined {
    const variable = this.#variables.get(identifier)
    if (variable === undefined || seen.has(variable)) return undefined
    const [definition] = variable.defs
    if (definition?.type === 'ImportBinding') return ofImport(definition)
    const value = valueOf(variable)
    if (value === undefined) return undefined
    const from = this.#of(value.init, new Set([...seen, variable]))
    if (from === undefined || value.id.type === 'Identifier') return from
    return value.id.type === 'ObjectPattern' ? this.#ofBinding(value.id, variable.name, from) : undefined
  }

  /** The path of what a pattern binds to a name. */
  #ofBinding(pattern: NodeOf<'ObjectPattern'>, name: string, from: Path): Path | undefined {
    for (const property of pattern.properties) {
      if (property.type === 'RestElement') {
        if (property.argument.type === 'Identifier' && property.argument.name === name) return from
        continue
      }
      const path = this.#ofProperty(property, from)
      if (path === undefined) continue
      const value = withoutDefault(property.value)
      if (value.type === 'Identifier' && value.name === name) return path
      const inner = value.type === 'ObjectPattern' ? this.#ofBinding(value, name, path) : undefined
      if (inner !== undefined) return inner
    }
    return undefined
  }

  #ofProperty({ key, computed }: { readonly key: Node; readonly computed: boolean }, from: Path): Path | undefined {
    const name = computed ? this.text(key) : exportedName(key)
    return name === undefined ? undefined : join(from, name)
  }
}

/** What an import or an export by name asks a module for. */
export function ofExport(module: string, name: string): Path {
  return join(ofModule(module), name)
}

/** What listens in a file, and is given everything that is named in it. */
export function listenForNames({ sourceCode }: Rule.RuleContext, found: (named: Named) => void): Rule.RuleListener {
  const origins = new Origins(sourceCode)
  const take = (pattern: Node, value: Node | null | undefined): void => {
    if (pattern.type !== 'ObjectPattern' || value === null || value === undefined) return
    const from = origins.of(value)
    if (from !== undefined) for (const named of origins.taken(pattern, from)) found(named)
  }
  return {
    Program() {
      for (const named of origins.globals()) found(named)
    },
    MemberExpression(node) {
      const path = origins.of(node)
      if (path !== undefined) found({ node, path })
    },
    VariableDeclarator({ id, init }) {
      take(id, init)
    },
    AssignmentExpression({ left, right }) {
      take(left, right)
    },
  }
}

/** Whether a name stands in a type. */
function isErased(identifier: NodeOf<'Identifier'>): boolean {
  // Linters give each node its parent, which ESTree does not know.
  return isType((identifier as NodeOf<'Identifier'> & { readonly parent?: SyntaxNode }).parent)
}

function ofGlobal(name: string): Path {
  return globalObjects.has(name) ? GLOBAL_OBJECT : name
}

function ofModule(specifier: string): Path {
  const name = nameOfModule(specifier)
  return name === 'process' ? name : MODULE + name
}

function join(from: Path, name: string): Path {
  if (from === GLOBAL_OBJECT) return ofGlobal(name)
  // A module that is no ES module is its own default.
  return name === 'default' && (from === 'process' || from.startsWith(MODULE)) ? from : `${from}.${name}`
}

function ofImport({ node, parent }: Extract<Scope.Definition, { type: 'ImportBinding' }>): Path | undefined {
  // TypeScript's `import name = require()` is such a definition too, and has no source.
  if (!('source' in parent) || typeof parent.source.value !== 'string') return undefined
  const module = ofModule(parent.source.value)
  if (node.type !== 'ImportSpecifier') return module
  const name = exportedName(node.imported)
  return name === undefined ? undefined : join(module, name)
}

/** The one value of a variable that is never assigned again, with the pattern that takes the variable out of it. */
function valueOf({ defs, references }: Scope.Variable): { id: Node; init: Node } | undefined {
  const [definition] = defs
  if (defs.length !== 1 || definition?.type !== 'Variable') return undefined
  const { id, init } = definition.node
  if (init === null || init === undefined || references.some((reference) => reference.isWrite() && reference.init !== true))
    return undefined
  return { id, init }
}
