/** What a mutant is: a slip that could have been made in the kernel or in a store, as data. */

/** A promise of `docs/guarantees.md`. */
export type Guarantee = 'G1' | 'G2' | 'G3' | 'G4' | 'G5' | 'G6' | 'G7' | 'G8' | 'G9' | 'G10' | 'G11' | 'G12' | 'G13'

/** One planted fault. */
export interface Mutant {
  /** Short, in words with hyphens; the same name never comes twice. */
  readonly name: string
  /** One sentence: what is broken. */
  readonly claim: string
  readonly guarantee: Guarantee
  /** Why no campaign catches it for now. */
  readonly skip?: string
  /** Path of the source, from the root of the repository. */
  readonly file: string
  /** Text that occurs exactly once in the file. */
  readonly from: string
  /** What stands there instead. */
  readonly to: string
}

/** A mutant does not fit its file any more. */
class MutantDoesNotFit extends Error {
  readonly code = 'MUTANT_DOES_NOT_FIT'

  constructor({ name, file }: Mutant, times: number) {
    super(`the mutant "${name}" wants to change a text that occurs ${times} times in ${file}`)
    this.name = 'MutantDoesNotFit'
  }
}

/** The source of the mutant's file with the fault in it. Throws `MutantDoesNotFit` unless the text to be replaced occurs exactly once. */
export function faultyText(mutant: Mutant, source: string): string {
  const parts = source.split(mutant.from)
  if (parts.length !== 2) throw new MutantDoesNotFit(mutant, parts.length - 1)
  return parts.join(mutant.to)
}
