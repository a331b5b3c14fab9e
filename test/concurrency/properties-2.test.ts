/** The kernel's guarantees as properties under simulation: one half of the campaigns. See `campaigns.ts`. */
import { testHalf } from './properties-half.ts'

testHalf(1)
