/** Child processes in a simulation: there are none, because no schedule could tell when they do what. */
import type { Children } from '@bailiwick/kernel/seams'

/** Refuses to start anything, in words that say what to do instead. */
export const noChildren: Children = {
  start: () =>
    Promise.reject(
      new Error('A simulation starts no processes: give the turn or effect something else to call, for instance through its module.'),
    ),
  endRemains: () => Promise.resolve(0),
}
