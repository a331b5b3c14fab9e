/** What a check collects: findings, of each kind in one place no more than somebody would read. */
import { BailiwickError, SchemaTooNew, StoreDamaged } from '../errors.ts'
import type { Finding, FindingLevel } from '../maintenance.ts'
import { translate } from './fault.ts'

/** So many findings of one kind are listed for one file; the others are counted. */
const LISTED_MAX = 20

/** What to do about something that cannot be mended without losing anything. */
const RESTORE = 'Restore the directory from a backup.'

/** What to do about something that can. */
const REPAIR = 'Repair the directory while nobody owns it.'

/** The findings about one file. */
export class Findings {
  readonly #place: string
  readonly #list: Finding[] = []
  readonly #unlisted = new Map<string, { level: FindingLevel; count: number }>()

  constructor(place: string) {
    this.#place = place
  }

  /** Something is lost or wrong. */
  error(code: string, message: string, about = '', advice: string = RESTORE): void {
    this.#add({ level: 'error', code, place: this.#at(about), message, advice, isRepairable: false })
  }

  /** Something is wrong that can be mended without losing anything. */
  repairable(code: string, message: string, about = ''): void {
    this.#add({ level: 'error', code, place: this.#at(about), message, advice: REPAIR, isRepairable: true })
  }

  /** Somebody should look. */
  warning(code: string, message: string, advice: string, about = ''): void {
    this.#add({ level: 'warning', code, place: this.#at(about), message, advice, isRepairable: false })
  }

  /** All is well; worth knowing. One that repairing would take away says so. */
  note(code: string, message: string, advice?: string, isRepairable = false): void {
    this.#add({ level: 'note', code, place: this.#place, message, advice, isRepairable })
  }

  /** Does a part of a check. What it throws is a finding, so that the other parts are done as well. */
  attempt<T>(check: () => T): T | undefined {
    try {
      return check()
    } catch (error) {
      this.thrown(error)
      return undefined
    }
  }

  /** Notes what a check was ended by. */
  thrown(error: unknown): void {
    const known = error instanceof BailiwickError ? error : translate(error, this.#place)
    const said = this.#list.some((finding) => finding.message === known.message)
    if (said) return
    if (known instanceof StoreDamaged) this.error('file-damaged', known.message)
    else if (known instanceof SchemaTooNew) this.error('file-too-new', known.message, '', 'Upgrade the package.')
    else this.warning('file-unavailable', known.message, 'Check again once the file can be read.')
  }

  /** Whether something is lost or wrong that a repair cannot mend. */
  get isBeyondRepair(): boolean {
    return this.#list.some((finding) => finding.level === 'error' && !finding.isRepairable)
  }

  get all(): readonly Finding[] {
    const place = this.#place
    const rest = [...this.#unlisted].map(([code, { level, count }]) => {
      const message = `There are ${count} more of this kind.`
      return { level, code, place, message, advice: undefined, isRepairable: false }
    })
    return [...this.#list, ...rest]
  }

  #at(about: string): string {
    return about === '' ? this.#place : `${this.#place}: ${about}`
  }

  #add(finding: Finding): void {
    const { code, level } = finding
    if (this.#list.filter((other) => other.code === code).length < LISTED_MAX) {
      this.#list.push(finding)
      return
    }
    const unlisted = this.#unlisted.get(code)
    if (unlisted === undefined) this.#unlisted.set(code, { level, count: 1 })
    else unlisted.count += 1
  }
}
