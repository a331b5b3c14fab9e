/** `doctor`: checks a directory, explains what it finds, and repairs what can be repaired without losing anything. */
import { resolve } from 'node:path'
import { styleText } from 'node:util'
import { repairDirectory, verifyDirectory } from '@bailiwick/store'
import type { Finding, FindingLevel } from '@bailiwick/store'
import type { Command } from '../command.ts'
import { ExitCode, UsageError } from '../failure.ts'
import { countOf } from '../measure.ts'
import { visible } from '../text.ts'

/** The command. */
export const doctor: Command = {
  summary: 'check a directory, explain what is found, and repair what is safe to repair',
  positionals: ['DIR'],
  options: ['repair', 'quick', 'json'],
  details: [
    'An error means that something is lost or wrong, a warning that somebody should look, a note that all is well.',
    '--repair takes the directory while it works. What it cannot mend without losing anything it leaves as it is.',
  ],
  run({ directory, options, world }) {
    if (options.repair && options.quick) throw new UsageError('--quick has no meaning with --repair, which checks everything', 'doctor')
    const report = options.repair ? repairDirectory(directory, { now: world.now }) : undefined
    const findings = report?.left ?? verifyDirectory(directory, { isQuick: options.quick })
    const count = (level: FindingLevel): number => findings.filter((finding) => finding.level === level).length
    const errors = count('error')
    const json = {
      directory: resolve(directory),
      errors,
      warnings: count('warning'),
      notes: count('note'),
      repaired: report?.done ?? null,
      findings: findingsAsJson(findings),
    }
    return {
      json,
      text: () => [repairText(report?.done), findingsText(findings, world.isColored), summaryText(findings, report !== undefined)].join(''),
      exitCode: errors > 0 ? ExitCode.found : ExitCode.fine,
    }
  },
}

/** Findings with every field. */
export function findingsAsJson(findings: readonly Finding[]): readonly object[] {
  return findings.map(({ level, code, place, message, advice, isRepairable }) => ({
    level,
    code,
    place,
    message,
    advice: advice ?? null,
    isRepairable,
  }))
}

/** Findings for people, the worst first. */
export function findingsText(findings: readonly Finding[], isColored: boolean): string {
  const order: readonly FindingLevel[] = ['error', 'warning', 'note']
  return order
    .flatMap((level) => findings.filter((finding) => finding.level === level))
    .map(({ level, code, place, message, advice }) => {
      const lines = [`${painted(level, isColored)}  ${visible(code)}  ${visible(place)}`, `  ${visible(message)}`]
      if (advice !== undefined) lines.push(`  ${visible(advice)}`)
      return `${lines.join('\n')}\n`
    })
    .join('')
}

function painted(level: FindingLevel, isColored: boolean): string {
  if (!isColored || level === 'note') return level
  return styleText(level === 'error' ? 'red' : 'yellow', level, { validateStream: false })
}

function repairText(done: readonly string[] | undefined): string {
  if (done === undefined) return ''
  if (done.length === 0) return 'Nothing was repaired.\n'
  return done.map((sentence) => `repaired  ${visible(sentence)}\n`).join('')
}

function summaryText(findings: readonly Finding[], isAfterRepair: boolean): string {
  const count = (level: FindingLevel, word: string): string => {
    const { length } = findings.filter((finding) => finding.level === level)
    return length === 0 ? '' : countOf(length, word)
  }
  const said = [count('error', 'error'), count('warning', 'warning'), count('note', 'note')].filter((part) => part !== '').join(', ')
  const repairable = findings.filter((finding) => finding.isRepairable).length
  const hint = repairable === 0 || isAfterRepair ? '' : ` \`bailiwick doctor DIR --repair\` can mend ${repairable} of them.`
  return `${said === '' ? 'All is well' : said}.${hint}\n`
}
