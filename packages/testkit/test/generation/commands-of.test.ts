/** Commands generated from a definition: of every command that was chosen, with inputs that the kernel takes, typed as their union. */
import { command, defineActor } from '@bailiwick/kernel'
import { TestWorld } from '@bailiwick/testkit'
import * as fc from 'fast-check'
import { describe, expect, expectTypeOf, onTestFinished, test } from 'vitest'
import { fromTransition } from 'xstate'
import { z } from 'zod'
import { CannotGenerate } from '../../src/generation/cannot-generate.ts'
import { commandsOf } from '../../src/generation/commands-of.ts'
import { codeOf } from '../code-of.ts'
import { account } from '../fixtures/account.ts'

type Valued<Arbitrary> = Arbitrary extends fc.Arbitrary<infer Value> ? Value : never

interface Deposit {
  readonly command: 'deposit'
  readonly input: { amount: number; note?: string | undefined }
}
interface Withdraw {
  readonly command: 'withdraw'
  readonly input: { amount?: number | undefined }
}
interface Label {
  readonly command: 'label'
  readonly input: { [name: string]: unknown; label: unknown }
}
interface Close {
  readonly command: 'close'
  readonly input: undefined
}
interface Balance {
  readonly command: 'balance'
  readonly input: undefined
}
interface Owes {
  readonly command: 'owes'
  readonly input: { atLeast: number }
}
interface Audit {
  readonly command: 'audit'
  readonly input: { reason: 'yearly' | 'claim' }
}

const namesIn = (arbitrary: fc.Arbitrary<{ readonly command: string }>): ReadonlySet<string> =>
  new Set(fc.sample(arbitrary, { numRuns: 200, seed: 1 }).map(({ command: name }) => name))

/** A definition of one command, with a schema that is to be looked at. */
const withInput = (input: z.ZodType<object, object>): Parameters<typeof commandsOf>[0] =>
  defineActor({
    type: 'taker',
    module: import.meta.url,
    logic: fromTransition((state: object, _event: { readonly type: 'take' }) => state, {}),
    commands: { take: command({ input }) },
  })

describe('commandsOf', () => {
  test('every command and query occurs, turns only if they are asked for', () => {
    const all = ['deposit', 'withdraw', 'label', 'close', 'balance', 'owes']
    expect(namesIn(commandsOf(account))).toEqual(new Set(all))
    expect(namesIn(commandsOf(account, { turns: true }))).toEqual(new Set([...all, 'audit']))
    expect(namesIn(commandsOf(account, { queries: false }))).toEqual(new Set(['deposit', 'withdraw', 'label', 'close']))
    expect(namesIn(commandsOf(account, { only: ['close', 'owes'] }))).toEqual(new Set(['close', 'owes']))
    expect(namesIn(commandsOf(account, { except: ['close', 'owes'], queries: false }))).toEqual(new Set(['deposit', 'withdraw', 'label']))
  })

  test('the kernel takes every input that is generated', async () => {
    const world = new TestWorld()
    onTestFinished(() => world.close())
    const system = await world.open({ actors: [account] })
    const codes = new Set<unknown>()
    for (const { command: name, input } of fc.sample(commandsOf(account), { numRuns: 300, seed: 2 })) {
      const { ask } = system.actor(account, 'a')
      // The union of the inputs and the union of the methods belong together member by member, which TypeScript cannot follow.
      const send = ask[name] as (input: unknown) => Promise<unknown>
      if (name !== 'close') codes.add(await codeOf(send(input).then(() => 'OK')))
    }
    expect(codes).toEqual(new Set(['COMMAND_REJECTED', 'OK']))
    await expect(system.actor(account, 'a').ask.close(undefined)).resolves.toBeUndefined()
  })

  test('weights and overrides', () => {
    const options = { weights: { deposit: 20, close: 0 }, override: { deposit: { amount: fc.constant(7) } } } as const
    const commands = fc.sample(commandsOf(account, { ...options, queries: false }), { numRuns: 200, seed: 1 })
    const deposits = commands.filter(({ command: name }) => name === 'deposit')
    expect(deposits.length).toBeGreaterThan(150)
    expect(new Set(deposits.map(({ input }) => (input as Deposit['input']).amount))).toEqual(new Set([7]))
    expect(commands.some(({ command: name }) => name === 'close')).toBe(false)
  })

  test('a failing sequence is shrunk to its smallest commands', () => {
    const property = fc.property(fc.array(commandsOf(account)), (commands) => !commands.some(({ command: name }) => name === 'withdraw'))
    expect(fc.check(property, { seed: 4 }).counterexample).toEqual([[{ command: 'withdraw', input: {} }]])
  })

  test('inputs named `type`, and inputs that are no objects, are refused as the kernel does', () => {
    const schema = z.partialRecord(z.enum(['type', 'a', 'b']), z.int())
    const inputs: readonly { readonly input: unknown }[] = fc.sample(commandsOf(withInput(schema)), { numRuns: 200, seed: 1 })
    expect(new Set(inputs.flatMap(({ input }) => Object.keys(input as object)))).toEqual(new Set(['a', 'b']))
    expect(() => commandsOf(withInput(z.object({ type: z.string() })))).toThrow(/is the name of the command/)
    expect(() => commandsOf(withInput(z.array(z.int())))).toThrow(/must be an object/)
  })

  test('what cannot be generated is CANNOT_GENERATE, and its path begins with the command', () => {
    const dated = withInput(z.object({ when: z.object({ at: z.date() }) }))
    expect(() => commandsOf(dated)).toThrow(CannotGenerate)
    expect(() => commandsOf(dated)).toThrow(expect.objectContaining({ code: 'CANNOT_GENERATE', path: 'take.when.at', kind: 'date' }))
    expect(() => commandsOf(withInput(z.array(z.int())))).toThrow(expect.objectContaining({ path: 'take', kind: 'array' }))
  })

  test('names and options that do not exist are refused', () => {
    const calls: readonly (readonly [options: object, path: string, kind: string])[] = [
      [{ only: ['depsoit'] }, 'depsoit', 'command'],
      [{ except: ['depsoit'] }, 'depsoit', 'command'],
      [{ weights: { depsoit: 1 } }, 'depsoit', 'command'],
      [{ weights: { deposit: -1 } }, 'deposit', 'option'],
      [{ override: { depsoit: {} } }, 'depsoit', 'command'],
      [{ override: { deposit: { amuont: fc.constant(1) } } }, 'deposit.amuont', 'override'],
      [{ query: false }, 'query', 'option'],
      [{ size: -1 }, 'size', 'option'],
      [{ only: [] }, '', 'command'],
    ]
    for (const [options, path, kind] of calls) {
      expect(() => commandsOf(account, options)).toThrow(expect.objectContaining({ code: 'CANNOT_GENERATE', path, kind }))
    }
  })

  test('the type is the union of the commands that are chosen, each with its own input', () => {
    expectTypeOf<Valued<ReturnType<typeof commandsOf<typeof account>>>>().toEqualTypeOf<
      Deposit | Withdraw | Label | Close | Balance | Owes
    >()
    const all = commandsOf(account, { size: 2 })
    expectTypeOf<Valued<typeof all>>().toEqualTypeOf<Deposit | Withdraw | Label | Close | Balance | Owes>()
    const withTurns = commandsOf(account, { turns: true, queries: false })
    expectTypeOf<Valued<typeof withTurns>>().toEqualTypeOf<Deposit | Withdraw | Label | Close | Audit>()
    const withoutTurns = commandsOf(account, { turns: false, queries: true })
    expectTypeOf<Valued<typeof withoutTurns>>().toEqualTypeOf<Deposit | Withdraw | Label | Close | Balance | Owes>()
    const only = commandsOf(account, { only: ['deposit', 'close'] })
    expectTypeOf<Valued<typeof only>>().toEqualTypeOf<Deposit | Close>()
    const except = commandsOf(account, { except: ['label', 'owes'] })
    expectTypeOf<Valued<typeof except>>().toEqualTypeOf<Deposit | Withdraw | Close | Balance>()
    // @ts-expect-error -- there is no such command.
    expect(() => commandsOf(account, { only: ['depsoit'] })).toThrow(CannotGenerate)
    fc.assert(
      fc.property(all, (one) => {
        if (one.command === 'deposit') expectTypeOf(one.input.amount).toEqualTypeOf<number>()
        if (one.command === 'close') expectTypeOf(one.input).toEqualTypeOf<undefined>()
      }),
    )
  })
})
