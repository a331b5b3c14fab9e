/** The public surface of `@bailiwick/testkit`. */

// Testing actors
export { TestWorld } from './test-world.ts'
export type { TestSystemOptions, TestWorldOptions } from './test-world.ts'
export { VirtualClock } from './virtual-clock.ts'
export { probe } from './probe.ts'
export type { Probe, ProbedCommand, ProbeReplies } from './probe.ts'

// Simulation
export { explore, simulate, SimulationFailed } from './simulation/simulate.ts'
export { describeFailure, describeReport } from './simulation/report.ts'
export { exploreModel, simulateModel } from './simulation/simulate-model.ts'
export type { ActorModel, ModelOptions } from './simulation/simulate-model.ts'
export type { RunSize, SimulationFailure, SimulationReport, Strike } from './simulation/failure.ts'
export type { SimulationOptions } from './simulation/options.ts'
export type { Client } from './simulation/client.ts'
export type { Check, Scenario, World } from './simulation/world.ts'
export type { StrategyName } from './simulation/strategies/portfolio.ts'
export { CRASHES, FAULT_KINDS } from './simulation/faults.ts'
export type { FaultChoice, FaultKind } from './simulation/faults.ts'
export {
  InvalidSchedule,
  InvalidSimulation,
  ModelContradicted,
  NotDeterministic,
  ProcessDown,
  ProcessKilled,
  ReplyLost,
  ScenarioLeft,
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

// Histories and their checkers
export { InvalidHistory, operationsOf } from './histories/history.ts'
export type { History, HistoryEvent, HistoryEventType, Operation } from './histories/history.ts'
export { checkLinearizable, describeLinearizability } from './histories/linearizability.ts'
export type { Linearizability, LinearizabilityOptions } from './histories/linearizability.ts'
export { modelOf } from './histories/model.ts'
export type { Asked, Foresight, Model, Reduced, ReducerModel } from './histories/model.ts'
export { casRegister, keyValueAppend, register } from './histories/models.ts'
export { readEdnHistory } from './histories/read-edn.ts'
export type { EdnHistoryOptions } from './histories/read-edn.ts'
export { readJepsenLog } from './histories/read-jepsen-log.ts'
export { readKeyValueLog } from './histories/read-key-value-log.ts'
export { sameValue } from './histories/values.ts'
export { checkListAppend } from './histories/list-append.ts'
export type { ListAppendAnomaly, ListAppendCounts, ListAppendOptions } from './histories/list-append.ts'
export { checkSet } from './histories/set.ts'
export type { SetAnomaly, SetCounts, SetOptions } from './histories/set.ts'
export { checkBank } from './histories/bank.ts'
export type { BankAnomaly, BankCounts, BankOptions } from './histories/bank.ts'
export { checkLeaseOrder } from './histories/lease-order.ts'
export type { GuardedWrite, LeaseAnomaly, LeaseCounts, LeaseEvent, LeaseHeld } from './histories/lease-order.ts'
export { checkTimers } from './histories/timers.ts'
export type { TimerAnomaly, TimerCancelled, TimerCounts, TimerEvent, TimerOptions, TimerSet, TimerTicked } from './histories/timers.ts'
export { checkEffects } from './histories/effects.ts'
export type {
  EffectAnomaly,
  EffectCancelled,
  EffectClaimed,
  EffectCounts,
  EffectDelivered,
  EffectEvent,
  EffectGivenUp,
  EffectOptions,
  EffectPromised,
} from './histories/effects.ts'
export { checkLaneOrder } from './histories/lane-order.ts'
export type {
  CommandAccepted,
  CommandHandled,
  LaneOrderAnomaly,
  LaneOrderCounts,
  LaneOrderEvent,
  LaneOrderOptions,
} from './histories/lane-order.ts'
export { checkStarvation } from './histories/starvation.ts'
export type {
  CommandGone,
  CommandServed,
  CommandWaits,
  StarvationAnomaly,
  StarvationCounts,
  StarvationEvent,
  StarvationOptions,
} from './histories/starvation.ts'
export type { Accepted, Anomaly, Refused, Verdict } from './histories/verdict.ts'

// Claims inside of scenarios
export { Properties, PropertyMisused, PropertyUnmet, PropertyViolated } from './simulation/properties.ts'
export type { PropertiesOptions, PropertyDeclaration, PropertyEntry, PropertyKind } from './simulation/properties.ts'
// Testing stores
export { laterStore } from './later-store.ts'
export { storeConformance } from './store-conformance.ts'
export type { StoreConformanceRunner, StorePlace } from './store-conformance.ts'
