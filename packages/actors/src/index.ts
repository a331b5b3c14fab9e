/** The public surface of `@bailiwick/actors`: ready-made actors, each with a definition of your own and a typed facade. */

export type { Surroundings } from './seams.ts'
