/** The public surface of `@bailiwick/testkit`. */

// Testing actors
export { TestWorld } from './test-world.ts'
export type { TestSystemOptions, TestWorldOptions } from './test-world.ts'
export { VirtualClock } from './virtual-clock.ts'
export { probe } from './probe.ts'
export type { Probe, ProbedCommand, ProbeReplies } from './probe.ts'

// Simulation
export { explore, simulate, SimulationFailed } from './simulation/simulate.ts'
export type { SimulationReport } from './simulation/simulate.ts'
export { exploreModel, simulateModel } from './simulation/simulate-model.ts'
export type { ActorModel, ModelOptions } from './simulation/simulate-model.ts'
export type { RunSize, SimulationFailure } from './simulation/failure.ts'
export type { SimulationOptions } from './simulation/options.ts'
export type { Client } from './simulation/client.ts'
export type { World } from './simulation/world.ts'
export type { StrategyName } from './simulation/strategies/portfolio.ts'
export { CRASHES, FAULT_KINDS } from './simulation/faults.ts'
export type { FaultChoice, FaultKind } from './simulation/faults.ts'
export {
  InvalidSchedule,
  InvalidSimulation,
  ModelContradicted,
  NotDeterministic,
  ProcessKilled,
  ReplyLost,
  SimulationStuck,
  StrayCall,
} from './simulation/errors.ts'

// Generating inputs and commands
export { CannotGenerate } from './generation/cannot-generate.ts'
export { commandsOf } from './generation/commands-of.ts'
export type { ChosenCommand, CommandOf, CommandsOfOptions } from './generation/commands-of.ts'
export { drawn } from './generation/drawn.ts'
export type { DrawnOptions } from './generation/drawn.ts'
export { inputOf } from './generation/input-of.ts'
export type { GenerateOptions, InputOfOptions } from './generation/input-of.ts'

// Testing stores
export { laterStore } from './later-store.ts'
export { storeConformance } from './store-conformance.ts'
export type { StoreConformanceRunner, StorePlace } from './store-conformance.ts'
