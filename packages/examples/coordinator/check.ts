/**
 * A check: what a build, a linter or a commit status says of a commit. Pull requests and repositories keep the latest
 * word of each check by its name.
 *
 * Failed checks are urgent and so overtake what was sent before them. The merge is therefore independent of the order in
 * which reports arrive: the newer one counts, and of two made in the same second the worse one.
 */

import { z } from 'zod'

/** What a check has found. */
export type Verdict = 'pending' | 'passing' | 'failing'

/** One report of a check. `at` is when it was made, in ms since 1970. */
export const checkReport = z.object({ name: z.string(), verdict: z.enum(['pending', 'passing', 'failing']), at: z.number() })

/** The latest word of each check, by its name. */
export type Checks = Readonly<Record<string, { readonly verdict: Verdict; readonly at: number }>>

const weights: Readonly<Record<Verdict, number>> = { pending: 0, passing: 1, failing: 2 }

/** The checks after one more report. */
export function mergeCheck(checks: Checks, report: z.output<typeof checkReport>): Checks {
  // Names come from outside: one of them might be `constructor`.
  const known = Object.hasOwn(checks, report.name) ? checks[report.name] : undefined
  const newer = known === undefined || report.at > known.at
  const sameButWorse = known?.at === report.at && weights[report.verdict] > weights[known.verdict]
  return newer || sameButWorse ? { ...checks, [report.name]: { verdict: report.verdict, at: report.at } } : checks
}

/** True when one of the checks has this verdict. */
export function hasVerdict(checks: Checks, verdict: Verdict): boolean {
  return Object.values(checks).some((check) => check.verdict === verdict)
}

const failures: ReadonlySet<string> = new Set(['failure', 'error', 'timed_out', 'startup_failure'])
const passes: ReadonlySet<string> = new Set(['success', 'neutral', 'skipped'])

/** The verdict in GitHub's words (`conclusion` of a check run, `state` of a status); what is not yet decided is pending. */
export function verdictOf(conclusion: string | null): Verdict {
  if (conclusion === null) return 'pending'
  if (failures.has(conclusion)) return 'failing'
  return passes.has(conclusion) ? 'passing' : 'pending'
}
