/** The stable code of an error of Bailiwick (or of Node.js), by which errors are recognised. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
