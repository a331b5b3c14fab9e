/** Numbers as people read them. */

/** 1,234,567 */
export function count(value: number): string {
  return value.toLocaleString('en-US')
}

/** Milliseconds with as many digits as matter: 0.42 ms, 4.2 ms, 42 ms, 4.2 s. */
export function duration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`
  return `${ms < 1 ? ms.toFixed(2) : ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`
}

/** 1 actor, 2 actors */
export function several(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`
}
