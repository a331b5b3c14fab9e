/** What of a handle's rows somebody may see: plain arithmetic on rows. */
import type { JsonValue } from '@bailiwick/kernel'

/** A row: flat or not, what counts for fields and scopes is its top level. */
export type HandleRow = Readonly<Record<string, JsonValue | undefined>>

/** A value that a field is compared with. */
export type HandleScopeValue = string | number | boolean | null

/** What somebody may see. Where two grants apply, both must allow it. */
export interface HandleGrant {
  /** Names of the fields that may be seen. Default: all. */
  readonly fields?: readonly string[] | undefined
  /** Only rows whose fields have these values; all of them. Default: every row. */
  readonly scope?: Readonly<Record<string, HandleScopeValue>> | undefined
  /** Only so many rows, the first ones within the scope, wherever a page begins. Default: all. */
  readonly rowsMax?: number | undefined
}

/** What is wanted of a handle. */
export interface HandleSelection {
  /** Default: every field that may be seen. */
  readonly fields?: readonly string[] | undefined
  /** Only rows whose fields have these values, of what may be seen. */
  readonly filter?: Readonly<Record<string, HandleScopeValue>> | undefined
  readonly offset?: number | undefined
  readonly limit?: number | undefined
}

/** A page of rows. */
export interface HandlePage {
  readonly outcome: 'expanded'
  readonly rows: readonly HandleRow[]
  /** How many rows there are from the first to the last page. */
  readonly total: number
  readonly offset: number
}

/** A field was named that may not be seen, in `fields` or in `filter`. */
export interface HandleDenied {
  readonly outcome: 'denied'
  readonly field: string
}

/** What bounds every page, and what is taken out of every row. */
export interface PageRules {
  readonly pageRowsMax: number
  readonly redact: ((row: HandleRow) => HandleRow) | undefined
}

/** The page that all grants allow. */
export function pageOf(
  rows: readonly HandleRow[],
  grants: readonly HandleGrant[],
  selection: HandleSelection,
  rules: PageRules,
): HandlePage | HandleDenied {
  const { fields: wanted, filter = {}, offset = 0, limit = rules.pageRowsMax } = selection
  const allowed = (name: string): boolean => grants.every(({ fields }) => fields === undefined || fields.includes(name))
  const denied = [...(wanted ?? []), ...Object.keys(filter)].find((name) => !allowed(name))
  // A filter on what may not be seen would tell what it is, one question at a time.
  if (denied !== undefined) return { outcome: 'denied', field: denied }
  const scopes = grants.flatMap(({ scope }) => (scope === undefined ? [] : [scope]))
  const rowsMax = Math.min(...grants.map((grant) => grant.rowsMax ?? Number.POSITIVE_INFINITY))
  const granted = rows.filter((row) => scopes.every((scope) => matches(row, scope))).slice(0, rowsMax)
  const redacted = rules.redact === undefined ? granted : granted.map(rules.redact)
  // What is taken out of a row cannot be asked for either.
  const found = redacted.filter((row) => matches(row, filter))
  const page = found.slice(offset, offset + Math.min(limit, rules.pageRowsMax))
  const isShown = (name: string): boolean => allowed(name) && (wanted === undefined || wanted.includes(name))
  return { outcome: 'expanded', rows: page.map((row) => only(row, isShown)), total: found.length, offset }
}

function matches(row: HandleRow, values: Readonly<Record<string, HandleScopeValue>>): boolean {
  return Object.entries(values).every(([name, value]) => Object.hasOwn(row, name) && row[name] === value)
}

function only(row: HandleRow, isShown: (name: string) => boolean): HandleRow {
  return Object.fromEntries(Object.entries(row).filter(([name]) => isShown(name)))
}
