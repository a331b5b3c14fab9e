/**
 * EDN, the notation of Clojure's data (https://github.com/edn-format/edn), as far as histories need it: read into plain values.
 *
 * Keywords, symbols and characters become texts (a keyword without its colon), `nil` becomes `null`, integers numbers (or bigints where
 * a number would not be exact), vectors and lists arrays, maps objects, sets sets. A tag is dropped: what it stands before remains.
 */
import { InvalidHistory } from './history.ts'
import { fingerprintOf } from './values.ts'

/** How deep values may be nested. */
const DEPTH_MAX = 500

const DELIMITERS = new Set(['(', ')', '[', ']', '{', '}', '"', ';', ','])
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', '"': '"', '\\': '\\' }
const CHARACTERS: Readonly<Record<string, string>> = {
  newline: '\n',
  space: ' ',
  tab: '\t',
  return: '\r',
  backspace: '\b',
  formfeed: '\f',
}

/** Reads one value after the other out of a text. Throws `InvalidHistory` with the number of the line for what is not EDN. */
export class EdnReader {
  readonly #text: string
  #position = 0
  #line: number

  /** @param line The number of the first line of the text; 1 by default. */
  constructor(text: string, line = 1) {
    this.#text = text
    this.#line = line
  }

  /** The line at which it stands: after `isAtEnd`, `take` or `isNext`, that of the next value. */
  get line(): number {
    return this.#line
  }

  /** What is left to be read. */
  get rest(): string {
    return this.#text.slice(this.#position)
  }

  /** Whether no further value is left. */
  isAtEnd(): boolean {
    this.#skip()
    return this.#position >= this.#text.length
  }

  /** Whether this character is next. */
  isNext(character: string): boolean {
    return !this.isAtEnd() && this.#text[this.#position] === character
  }

  /** Takes this character if it is next. */
  take(character: string): boolean {
    const isNext = this.isNext(character)
    if (isNext) this.#position += 1
    return isNext
  }

  /** The next value. */
  read(): unknown {
    return this.#read(0)
  }

  #read(depth: number): unknown {
    if (depth > DEPTH_MAX) return this.#fail('values are nested too deeply')
    if (this.isAtEnd()) return this.#fail('a value is missing at the end')
    const first = this.#text[this.#position]
    switch (first) {
      case '[':
        return this.#items(']', depth)
      case '(':
        return this.#items(')', depth)
      case '{':
        return this.#map(depth)
      case '"':
        return this.#string()
      case '\\':
        return this.#character()
      case '#':
        return this.#dispatch(depth)
      case ']':
      case ')':
      case '}':
        return this.#fail(`${first} closes nothing`)
      case '^':
        // Metadata says nothing about the value.
        this.#position += 1
        this.#read(depth + 1)
        return this.#read(depth + 1)
      default:
        return this.#atom(this.#token())
    }
  }

  #items(end: string, depth: number): readonly unknown[] {
    const line = this.#line
    this.#position += 1
    const items: unknown[] = []
    while (!this.take(end)) {
      if (this.isAtEnd()) throw new InvalidHistory(line, `${end} is missing: what begins here never ends`)
      items.push(this.#read(depth + 1))
    }
    return items
  }

  #map(depth: number): unknown {
    const items = this.#items('}', depth)
    if (items.length % 2 === 1) return this.#fail('a key of a map has no value')
    const entries: [string, unknown][] = []
    for (let position = 0; position < items.length; position += 2) entries.push([nameOf(items[position]), items[position + 1]])
    return Object.fromEntries(entries)
  }

  #string(): string {
    const line = this.#line
    let text = ''
    for (let position = this.#position + 1; position < this.#text.length; position++) {
      let character = this.#text[position] ?? ''
      if (character === '"') {
        this.#position = position + 1
        return text
      }
      if (character === '\n') this.#line += 1
      if (character === '\\') {
        position += 1
        const escape = this.#text[position] ?? ''
        const code = /^u([0-9a-fA-F]{4})/.exec(this.#text.slice(position, position + 5))?.[1]
        if (code !== undefined) {
          character = String.fromCharCode(Number.parseInt(code, 16))
          position += 4
        } else character = ESCAPES[escape] ?? this.#fail(`\\${escape} is no escape of a string`)
      }
      text += character
    }
    throw new InvalidHistory(line, 'a string never ends')
  }

  #character(): string {
    this.#position += 1
    const first = this.#text[this.#position] ?? this.#fail('a character is missing')
    this.#position += 1
    const name = first + (DELIMITERS.has(first) ? '' : this.#token())
    const code = /^u([0-9a-fA-F]{4})$/.exec(name)?.[1]
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16))
    return CHARACTERS[name] ?? name
  }

  #dispatch(depth: number): unknown {
    this.#position += 1
    const next = this.#text[this.#position]
    if (next === '{') return new Set(this.#items('}', depth))
    if (next === '#') {
      this.#position += 1
      const name = this.#token()
      return name === 'Inf' ? Infinity : name === '-Inf' ? -Infinity : Number.NaN
    }
    // `#_` is skipped with the blanks, so that this is a tag.
    const tag = this.#token()
    return tag === '' ? this.#fail('# stands before nothing') : this.#read(depth + 1)
  }

  #token(): string {
    const start = this.#position
    while (this.#position < this.#text.length) {
      const character = this.#text[this.#position] ?? ''
      if (character.trim() === '' || DELIMITERS.has(character)) break
      this.#position += 1
    }
    return this.#text.slice(start, this.#position)
  }

  #atom(token: string): unknown {
    if (token === 'nil') return null
    if (token === 'true' || token === 'false') return token === 'true'
    if (token.startsWith(':')) return token.length > 1 ? token.slice(1) : this.#fail(': is no keyword')
    if (/^[+-]?\d+N?$/.test(token)) return integerOf(token)
    if (/^[+-]?\d+(\.\d*)?([eE][+-]?\d+)?M?$/.test(token)) return Number(token.replace('M', ''))
    return /^[+-]?\d/.test(token) ? this.#fail(`${token} is no number`) : token
  }

  /** Over blanks, commas, comments and discarded values. */
  #skip(): void {
    for (;;) {
      const character = this.#text[this.#position]
      if (character === undefined) return
      if (character === '\n') this.#line += 1
      if (character === ';') {
        const end = this.#text.indexOf('\n', this.#position)
        this.#position = end === -1 ? this.#text.length : end
      } else if (character === '#' && this.#text[this.#position + 1] === '_') {
        this.#position += 2
        this.#read(0)
      } else if (character === ',' || character.trim() === '') this.#position += 1
      else return
    }
  }

  #fail(problem: string): never {
    throw new InvalidHistory(this.#line, problem)
  }
}

function integerOf(token: string): number | bigint {
  const digits = token.replace('N', '').replace(/^\+/, '')
  const number = Number(digits)
  return Number.isSafeInteger(number) ? number : BigInt(digits)
}

function nameOf(key: unknown): string {
  return typeof key === 'string' ? key : fingerprintOf(key)
}
