/** What of a request is looked at before anything is counted. */
import { InvalidInput } from '@bailiwick/kernel'

/** How many characters the id of an execution may have. */
const ID_LENGTH_MAX = 200

/** Refuses an id or a time to wait that no queue takes. Throws `InvalidInput`, naming the field. */
export function requireIdAndWait(operation: string, executionId: unknown, waitMs: number): void {
  if (typeof executionId !== 'string' || executionId === '' || executionId.length > ID_LENGTH_MAX) {
    throw new InvalidInput(operation, 'executionId', `must have 1 to ${ID_LENGTH_MAX} characters`)
  }
  // Infinity is as long as the definition allows.
  if (!(waitMs >= 1) || (waitMs !== Number.POSITIVE_INFINITY && !Number.isSafeInteger(waitMs))) {
    throw new InvalidInput(operation, 'waitMs', `must be a whole number of milliseconds from 1, is ${String(waitMs)}`)
  }
}
