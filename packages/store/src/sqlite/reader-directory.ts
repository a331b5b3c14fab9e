/** What a directory says of itself to somebody who only looks. */
import { statSync } from 'node:fs'
import { DirectoryMissing, DirectoryNotOurs, DirectoryNotWritable, StoreDamaged, StoreUnavailable } from '../errors.ts'
import { codeOf, translate } from './fault.ts'
import { contentOf, hasShards, ownerFile } from './layout.ts'
import type { OwnerRow } from './ownership.ts'
import { look } from './reader-connection.ts'
import { ownerSchema, pragmaNumber, requireKnownVersion } from './schema.ts'

/** Throws unless a store is in the directory. */
export function requireStore(directory: string): void {
  try {
    const stats = statSync(directory, { throwIfNoEntry: false })
    if (stats === undefined) throw new DirectoryMissing(directory, 'it does not exist')
    if (!stats.isDirectory()) throw new DirectoryMissing(directory, 'it is a file, not a directory')
    if (contentOf(directory) === 'nothing') throw new DirectoryMissing(directory, 'it holds no store')
  } catch (error) {
    // What refuses a writer refuses a reader here: so far nothing was to be written.
    if (error instanceof DirectoryNotWritable || codeOf(error) === 'EACCES')
      throw new StoreUnavailable('other', `${directory} may not be read by this process`, { cause: error })
    throw translate(error, directory)
  }
}

/** Reads the row of `owner.db`. Throws what opening a reader throws. */
export function readOwner(directory: string): OwnerRow {
  const file = ownerFile(directory)
  try {
    return look(file, (db) => {
      if (pragmaNumber(db, 'application_id') !== ownerSchema.applicationId)
        throw new DirectoryNotOurs(directory, 'an owner.db of another program')
      requireKnownVersion(file, pragmaNumber(db, 'user_version'), ownerSchema)
      const row = db.prepare<[], OwnerRow>('SELECT epoch, pid, since, shards, created FROM owner WHERE id = 1').get()
      if (row === undefined) throw new StoreDamaged(file, 'its row is missing')
      return row
    })
  } catch (error) {
    const isForeign = error instanceof StoreDamaged && error.message.includes('not a database') && !hasShards(directory)
    throw isForeign ? new DirectoryNotOurs(directory, 'an owner.db that is not a database') : error
  }
}
