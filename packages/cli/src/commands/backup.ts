/** `backup`: copies a directory as it is at one moment, while its owner goes on. */
import { backupDirectory } from '@bailiwick/store'
import type { Command } from '../command.ts'
import { ExitCode } from '../failure.ts'
import { countOf, lengthOf, sizeOf } from '../measure.ts'
import { visible } from '../text.ts'
import { findingsAsJson, findingsText } from './doctor.ts'

/** The command. */
export const backup: Command = {
  summary: 'copy a directory as it is at one moment, also beside its owner',
  positionals: ['DIR', 'TARGET'],
  options: ['json'],
  details: [
    'TARGET must be empty or not exist; its parent must exist. The copy is checked and can be opened as it is.',
    'Ended by a signal, it leaves nothing behind.',
  ],
  async run({ directory, subject, world }) {
    const report = await backupDirectory(directory, subject, { now: world.now(), elapsed: world.elapsed, signal: world.interruption() })
    const { findings, bytes, shards } = report
    // A clock finer than anybody reads.
    const heldMs = Math.round(report.heldMs * 10) / 10
    return {
      json: { directory: report.directory, shards, bytes, heldMs, findings: findingsAsJson(findings) },
      text: () =>
        `${findingsText(findings, world.isColored)}${countOf(shards, 'shard')}, ${sizeOf(bytes)}, copied to ${visible(report.directory)}; ` +
        `commits had to wait ${heldMs < 1_000 ? `${heldMs} ms` : lengthOf(heldMs)}.\n`,
      exitCode: findings.some(({ level }) => level === 'error') ? ExitCode.found : ExitCode.fine,
    }
  },
}
