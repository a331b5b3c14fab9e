/** Every known bug. */
import { acknowledgeBeforeCommit } from './acknowledge-before-commit.ts'
import { bluetooth } from './bluetooth.ts'
import { boundedBuffer } from './bounded-buffer.ts'
import { diningPhilosophers } from './dining-philosophers.ts'
import { doubleSend } from './double-send.ts'
import type { KnownBug } from './known-bug.ts'
import { lease } from './lease.ts'
import { lostUpdate } from './lost-update.ts'
import { reorders } from './reorder.ts'
import { timerAgainstCancel } from './timer-against-cancel.ts'
import { tokenRing } from './token-ring.ts'
import { twoStage } from './two-stage.ts'
import { uneven } from './uneven.ts'
import { workStealing } from './work-stealing.ts'
import { wrongLock } from './wrong-lock.ts'

/** Programs that are known to be wrong, and their repaired twins. */
export const KNOWN_BUGS: readonly KnownBug[] = [
  lostUpdate,
  bluetooth,
  ...reorders,
  twoStage,
  wrongLock,
  ...diningPhilosophers,
  boundedBuffer,
  workStealing,
  lease,
  timerAgainstCancel,
  acknowledgeBeforeCommit,
  doubleSend,
  uneven,
  tokenRing,
]
