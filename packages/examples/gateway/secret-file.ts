/** Secrets in files that only their owner can read: they stand in no argument, no variable and no log. */
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'

const SECRET_BYTES = 32

/** The secret of a file; makes the file, with a new secret and mode 0600, if there is none. */
export function secretOf(file: string): string {
  try {
    writeFileSync(file, randomBytes(SECRET_BYTES).toString('base64url'), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
  return readFileSync(file, 'utf8')
}
