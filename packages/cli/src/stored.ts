/**
 * What the texts of rows say. A text that cannot be read hides the others in no list: what it would say is missing, and
 * `bailiwick doctor` names it.
 */

/** What a decoder answers; `undefined` if the text is damaged. */
export function attempt<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch {
    return undefined
  }
}

/** Encoded JSON as what it says; the text itself if it is damaged. */
export function parsed(text: string): unknown {
  return attempt(() => JSON.parse(text) as unknown) ?? text
}

/** A field of a value that is an object. */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined
}

/** A field that is a text; null if there is none. */
export function textField(value: unknown, name: string): string | null {
  const field = fieldOf(value, name)
  return typeof field === 'string' ? field : null
}
