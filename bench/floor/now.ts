/** The clock that all threads of a process share, in milliseconds. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
