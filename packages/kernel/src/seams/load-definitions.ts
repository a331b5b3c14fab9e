/** Finds definitions in their modules, in a shard's thread. */
import { fingerprintOf, isActorDefinition } from '../definition/define-actor.ts'
import type { ActorDefinition } from '../definition/define-actor.ts'
import { fingerprintOfEffect, isEffectDefinition } from '../definition/define-effect.ts'
import type { EffectDefinition } from '../definition/define-effect.ts'
import { DefinitionNotLoaded, messageOf } from '../errors.ts'
import type { LoadedModule } from './seams.ts'
import type { DefinitionReference } from './thread-messages.ts'

/** What tells definitions of one kind apart. */
interface Kind<T> {
  readonly what: 'actor type' | 'effect'
  readonly is: (value: unknown) => value is T
  readonly nameOf: (definition: T) => string
  readonly fingerprintOf: (definition: T) => string
}

const ACTORS: Kind<ActorDefinition> = {
  what: 'actor type',
  is: isActorDefinition,
  nameOf: (definition) => definition.type,
  fingerprintOf,
}

const EFFECTS: Kind<EffectDefinition> = {
  what: 'effect',
  is: isEffectDefinition,
  nameOf: (definition) => definition.name,
  fingerprintOf: fingerprintOfEffect,
}

/** Hears what is loaded next: if that never ends, or ends the thread, it is known what it was. */
export type LoadListener = (module: LoadedModule) => void

/** Imports one module after the other and takes the actors from its exports. Throws `DefinitionNotLoaded`, naming type and module. */
export async function loadDefinitions(
  references: readonly DefinitionReference[],
  onLoad: LoadListener,
): Promise<readonly ActorDefinition[]> {
  return await loadEach(ACTORS, references, onLoad)
}

/** Imports one module after the other and takes the effects from its exports. Throws `DefinitionNotLoaded`, naming effect and module. */
export async function loadEffects(references: readonly DefinitionReference[], onLoad: LoadListener): Promise<readonly EffectDefinition[]> {
  return await loadEach(EFFECTS, references, onLoad)
}

/** Imports a module and takes one actor from its exports, without comparing it with another. Throws `DefinitionNotLoaded`. */
export async function findActor(type: string, module: string): Promise<ActorDefinition> {
  return await find(ACTORS, type, module)
}

async function loadEach<T extends object>(
  kind: Kind<T>,
  references: readonly DefinitionReference[],
  onLoad: LoadListener,
): Promise<readonly T[]> {
  const loaded: T[] = []
  for (const reference of references) {
    onLoad({ type: reference.type, module: reference.module })
    loaded.push(await load(kind, reference))
  }
  return loaded
}

async function load<T extends object>(kind: Kind<T>, { type, module, fingerprint }: DefinitionReference): Promise<T> {
  const definition = await find(kind, type, module)
  if (kind.fingerprintOf(definition) !== fingerprint) {
    throw new DefinitionNotLoaded(
      type,
      module,
      'the thread got another definition than the caller has; a definition must not depend on the thread',
    )
  }
  return definition
}

async function find<T extends object>(kind: Kind<T>, type: string, module: string): Promise<T> {
  const exported = await importModule(type, module)
  const definition = Object.values(exported).find((value): value is T => kind.is(value) && kind.nameOf(value) === type)
  if (definition !== undefined) return definition
  throw new DefinitionNotLoaded(type, module, `the module exports no such ${kind.what}; export the value that defines it`)
}

async function importModule(type: string, module: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(module)) as Readonly<Record<string, unknown>> // A module namespace.
  } catch (error) {
    throw new DefinitionNotLoaded(type, module, messageOf(error), { cause: error })
  }
}
