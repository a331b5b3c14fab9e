/** A misspelt option would be lost in silence, so each is refused by name, wherever it stands in a definition. */
import { InvalidDefinition } from '../errors.ts'

/**
 * Checks that options are an object, and that each of them exists. `path` is the option that they stand in, empty for those of
 * the definition itself. Throws `InvalidDefinition`, naming the field.
 */
export function requireOptions(where: string, path: string, options: unknown, known: ReadonlySet<string>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidDefinition(where, path === '' ? 'options' : path, 'must be an object')
  }
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw new InvalidDefinition(where, path === '' ? name : `${path}.${name}`, 'is no option')
  }
}
