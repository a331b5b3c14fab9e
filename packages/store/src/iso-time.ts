/** Wall time as people read it. The clock is the caller's; here a given moment is only written down. */
export function isoTime(at: number): string {
  // oxlint-disable-next-line eslint/no-restricted-globals -- no time is taken, only formatted
  return new Date(at).toISOString()
}
