/** Taking changes back: every change that the memory driver makes is noted with its undoing. */

/** Takes one change back. */
export type Undo = () => void
