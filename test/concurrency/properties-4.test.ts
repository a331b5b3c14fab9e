/** The kernel's guarantees as properties under simulation: a quarter of the campaigns. See `campaigns.ts`. */
import { testQuarter } from './properties-quarter.ts'

testQuarter(3)
