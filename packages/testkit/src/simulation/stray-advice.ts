/** What to do instead of what no schedule knows of. */

const INSIDE: readonly (readonly [RegExp, string])[] = [
  [
    /^(Date|performance|process\.hrtime|process\.uptime|Temporal)/,
    'let the command be stamped (see `stamped`), or pass the time in its input',
  ],
  [
    /^(setTimeout|setInterval|setImmediate|scheduler|Timeout|Immediate|AbortSignal)/,
    'use the action `setTimer`, or `after` of the machine',
  ],
  [/^(Math\.random|crypto)/, 'pass what is drawn in the input of the command'],
  [/^Promise$/, 'a transition ends at once: what takes time is an effect, a turn or an invoked child'],
  [/./, 'what reaches the outside world is an effect or a turn'],
]

const OUTSIDE: readonly (readonly [RegExp, string])[] = [
  [/^(Date|performance|process\.hrtime|process\.uptime|Temporal)/, 'use `world.time`'],
  [
    /^(setTimeout|setInterval|setImmediate|scheduler|Timeout|Immediate|AbortSignal)/,
    'use `client.sleep`, `world.sleep`, or `world.workFor` in effects and turns',
  ],
  [/^(Math\.random|crypto)/, 'use `world.draw`'],
  [/./, 'give the simulation a stand-in, for instance `effects: [{ ...mail, run }]`'],
]

/** How to do without something that was called, in one sentence. */
export function adviceOn(api: string, isTransition: boolean): string {
  const [, advice] = (isTransition ? INSIDE : OUTSIDE).find(([pattern]) => pattern.test(api)) ?? ['', '']
  return advice
}
