/** Finds definitions in their modules, in a shard's thread. */
import { fingerprintOf, isActorDefinition } from '../definition/define-actor.ts'
import type { ActorDefinition } from '../definition/define-actor.ts'
import { DefinitionNotLoaded, messageOf } from '../errors.ts'
import type { DefinitionReference } from './thread-messages.ts'

/** Imports every module and takes the definitions from its exports. Throws `DefinitionNotLoaded`, naming type and module. */
export async function loadDefinitions(references: readonly DefinitionReference[]): Promise<readonly ActorDefinition[]> {
  return await Promise.all(references.map((reference) => loadDefinition(reference)))
}

async function loadDefinition({ type, module, fingerprint }: DefinitionReference): Promise<ActorDefinition> {
  const exported = await importModule(type, module)
  const definition = Object.values(exported).find((value): value is ActorDefinition => isActorDefinition(value) && value.type === type)
  if (definition === undefined) {
    throw new DefinitionNotLoaded(type, module, 'the module exports no such definition; export the value that defineActor answers')
  }
  if (fingerprintOf(definition) !== fingerprint) {
    throw new DefinitionNotLoaded(
      type,
      module,
      'the thread got another definition than the caller has; a definition must not depend on the thread',
    )
  }
  return definition
}

async function importModule(type: string, module: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(module)) as Readonly<Record<string, unknown>> // A module namespace.
  } catch (error) {
    throw new DefinitionNotLoaded(type, module, messageOf(error), { cause: error })
  }
}
