/** When restarts happened, as the tap tells it. */
import type { Ward } from './ward.ts'

/** Lets time pass; answers the time between one restart and the next. */
export async function waitedBetween(ward: Ward, ms: number): Promise<readonly number[]> {
  await ward.pass(ms)
  const moments = ward.toldOf('actor.restarted').map(({ at }) => at)
  return moments.slice(1).map((at, index) => at - (moments[index] ?? at))
}
