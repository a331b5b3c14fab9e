/**
 * Refuses a Node.js that is too old, with one line. Imported before anything else: the SQLite binding would crash such
 * a Node instead of throwing.
 */
const MAJOR_MIN = 22
const MINOR_MIN = 18

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (major < MAJOR_MIN || (major === MAJOR_MIN && minor < MINOR_MIN)) {
  const error = new Error(`Bailiwick needs Node.js ${MAJOR_MIN}.${MINOR_MIN} or newer; this is ${process.versions.node}.`)
  error.stack = error.message
  throw error
}
