/** Strings for the formats of zod whose pattern does not say enough, or whose values would never come twice. */
import * as fc from 'fast-check'
import type { z } from 'zod'
import { matching } from './patterns.ts'

type Format = z.core.$ZodCheckStringFormatDef

const SOURCES: Readonly<Record<string, (format: Format, size: number) => fc.Arbitrary<string>>> = {
  email: () => fc.constantFrom('a@example.com', 'b@example.com', 'c@example.com'),
  url: (format) => urls(format),
  uuid: (format) => uuids('version' in format ? String(format.version).slice(1) : '4'),
  guid: () => uuids('4'),
  emoji: () => fc.constantFrom('🙂', '🚀', '👍🏽'),
  ipv6: () => fc.constantFrom('::1', 'fe80::1', '2001:db8::1'),
  cidrv6: () => fc.constantFrom('::/0', '2001:db8::/32'),
  base64: (_format, size) => fc.base64String({ maxLength: 4 * Math.ceil(size / 4) }),
  base64url: (_format, size) =>
    fc
      .base64String({ maxLength: 4 * Math.ceil(size / 4) })
      .map((text) => text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')),
  // Numbers that payment providers give out for tests, and the examples of the standard.
  credit_card: () => fc.constantFrom('4242424242424242', '5555555555554444', '378282246310005'),
  iban: () => fc.constantFrom('GB82WEST12345698765432', 'DE89370400440532013000', 'FR1420041010050500013M02606'),
  jwt: (format) => tokens('alg' in format && typeof format.alg === 'string' ? format.alg : 'HS256'),
}

/** Strings of a format, or undefined where its pattern is enough. What does not fit a further check of the schema is sorted out later. */
export function formatted(format: Format, size: number): fc.Arbitrary<string> | undefined {
  return SOURCES[format.format]?.(format, size)
}

function urls(format: Format): fc.Arbitrary<string> {
  const part = (name: string, usual: readonly string[]): fc.Arbitrary<string> => {
    const pattern: unknown = Object.hasOwn(format, name) ? Reflect.get(format, name) : undefined
    const known = pattern instanceof RegExp ? usual.filter((text) => pattern.test(text)) : usual
    const matched = pattern instanceof RegExp ? matching(pattern, 0, Number.POSITIVE_INFINITY) : undefined
    if (known.length > 0) return fc.constantFrom(...known)
    return matched ?? fc.constantFrom(...usual)
  }
  return fc
    .tuple(
      part('protocol', ['https', 'http']),
      part('hostname', ['a.example', 'b.example', 'localhost']),
      fc.constantFrom('', '/', '/a?b=c'),
    )
    .map(([protocol, hostname, path]) => `${protocol}://${hostname}${path}`)
}

function uuids(version: string): fc.Arbitrary<string> {
  return fc.constantFrom('1', '2', '3', '4').map((digit) => `00000000-0000-${version}000-8000-00000000000${digit}`)
}

function tokens(alg: string): fc.Arbitrary<string> {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return fc.constantFrom('a', 'b', 'c').map((sub) => `${encode({ typ: 'JWT', alg })}.${encode({ sub })}.AAAA`)
}
