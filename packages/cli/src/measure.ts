/** Times and sizes in words. */

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** The largest time that a date can have. */
const DATE_MAX = 8.64e15

/** A time as ISO 8601; as the number that it is where no date is so far away. */
function isoTime(at: number): string {
  return Math.abs(at) <= DATE_MAX ? new Date(at).toISOString() : `${at} ms`
}

/** A length of time in milliseconds: `450 ms`, `3 s`, `2 h`. What is left over of a unit is dropped. */
export function lengthOf(ms: number): string {
  if (ms < SECOND) return `${Math.floor(ms)} ms`
  if (ms < 2 * MINUTE) return `${Math.floor(ms / SECOND)} s`
  if (ms < 2 * HOUR) return `${Math.floor(ms / MINUTE)} min`
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`
  return `${Math.floor(ms / DAY)} d`
}

/** How long ago something was, or when it was if everything is wanted. Clocks may differ: what lies ahead is `0 s`. */
export function ageOf(at: number, now: number, isFull: boolean): string {
  return isFull ? isoTime(at) : roughly(now - at)
}

/** When something is due, or at which time if everything is wanted. */
export function dueOf(at: number, now: number, isFull: boolean): string {
  if (isFull) return isoTime(at)
  return at > now ? `in ${roughly(at - now)}` : `${roughly(now - at)} late`
}

/** Ages are in seconds at least: nobody reads milliseconds of something that is over. */
function roughly(ms: number): string {
  return ms < SECOND ? '0 s' : lengthOf(ms)
}

/** A number of bytes: `512 B`, `1.5 KiB`, `20 MiB`. */
export function sizeOf(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let amount = bytes
  let unit = 0
  while (amount >= 1_024 && unit < units.length - 1) {
    amount /= 1_024
    unit += 1
  }
  return `${unit === 0 || amount >= 10 ? Math.round(amount) : amount.toFixed(1)} ${units[unit] ?? ''}`
}

/** A number of things: `1 turn`, `2 turns`. */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
