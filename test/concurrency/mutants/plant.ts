/**
 * Plants the mutant that `BAILIWICK_MUTANT` names: `node --import ./test/concurrency/mutants/plant.ts …`. Its file is loaded with the
 * fault in it, in this process and nowhere else; the sources know nothing of it. Without the variable nothing is planted.
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { mutants } from './all.ts'
import { faultyText } from './mutant.ts'

const name = process.env['BAILIWICK_MUTANT'] ?? ''
if (name !== '') plant(name)

function plant(wanted: string): void {
  const mutant = mutants.find((one) => one.name === wanted)
  if (mutant === undefined) throw new Error(`there is no mutant "${wanted}"`)
  const url = new URL(`../../../${mutant.file}`, import.meta.url)
  const source = faultyText(mutant, readFileSync(url, 'utf8'))
  registerHooks({
    load: (loaded, context, next) =>
      loaded === url.href ? { format: 'module-typescript', source, shortCircuit: true } : next(loaded, context),
  })
}
