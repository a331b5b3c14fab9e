/** Errors by their codes, as callers tell them apart. */
import { BailiwickError } from '@bailiwick/kernel'

/** The code of the error that a promise rejects with, or what it resolves with. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise
  } catch (error) {
    return error instanceof BailiwickError ? error.code : error
  }
}
