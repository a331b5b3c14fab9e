/**
 * Text for a terminal: nothing of what is stored may move its cursor or change its title, and columns must line up.
 */

/** Control characters, and those that change the direction of what follows. A line break is one of them. */
// oxlint-disable-next-line eslint/no-control-regex -- they are what is looked for.
const INVISIBLE = /[\u0000-\u001F\u007F-\u009F\u061C\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]|\p{Surrogate}/gu

const NAMED: ReadonlyMap<string, string> = new Map([
  ['\n', String.raw`\n`],
  ['\r', String.raw`\r`],
  ['\t', String.raw`\t`],
])

/** Characters that take two columns. */
const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]|[\u{20000}-\u{3FFFD}]/u

const PLAIN = /^[\u0020-\u007E]*$/

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** The text with what cannot be seen written out, in one line. */
export function visible(text: string): string {
  if (PLAIN.test(text)) return text
  return text.replaceAll(INVISIBLE, (found) => NAMED.get(found) ?? `\\u{${(found.codePointAt(0) ?? 0).toString(16)}}`)
}

/** How many columns of a terminal a visible text takes. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length
  let width = 0
  for (const { segment } of graphemes.segment(text)) width += WIDE.test(segment) ? 2 : 1
  return width
}

/** The text in at most so many columns; where something is left out, it ends in `…`. */
export function cutTo(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  if (width < 1) return ''
  let cut = ''
  let taken = 0
  for (const { segment } of graphemes.segment(text)) {
    taken += WIDE.test(segment) ? 2 : 1
    if (taken > width - 1) break
    cut += segment
  }
  return `${cut}…`
}
