/** All mutants. */
import { answers } from './answers.ts'
import { callers } from './callers.ts'
import { delivery } from './delivery.ts'
import { effects } from './effects.ts'
import type { Mutant } from './mutant.ts'
import { store } from './store.ts'
import { supervision } from './supervision.ts'
import { timers } from './timers.ts'
import { turns } from './turns.ts'

/** Every planted fault, one of which is in a process at a time. */
export const mutants: readonly Mutant[] = [...answers, ...delivery, ...timers, ...effects, ...turns, ...supervision, ...store, ...callers]
