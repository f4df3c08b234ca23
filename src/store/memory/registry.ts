import type { HandlerDeclaration, HandlerRecord, Registry } from '../../event/handler-record.ts'
import { limits } from '../../kit/limits.ts'
import { type CircuitTurn, type CircuitTurned, turned } from '../circuits.ts'
import { registryChange } from '../registry-change.ts'
import type { SettingChange, Settings } from '../store.ts'
import { dropLapsed } from './own.ts'
import type { MemoryState } from './state.ts'

/** Enters what is new of a node's handlers, and takes out what no live node of the group names any more. */
export function register(
  state: MemoryState,
  group: string,
  node: string,
  declared: readonly HandlerDeclaration[],
): Registry {
  dropLapsed(state)
  announce(state, group, node, declared)
  const records = state.handlers.filter((record) => record.group === group)
  const isNamed = (name: string) => isNamedByOther(state, group, node, name)
  const { closed, opened } = registryChange(group, records, declared, isNamed)
  if (closed.length > 0 || opened.length > 0) {
    const next = ++state.registryVersion
    const ends = (record: HandlerRecord) =>
      record.group === group && record.untilVersion === undefined && closed.includes(record.tag)
    state.handlers = state.handlers.map((record) => (ends(record) ? { ...record, untilVersion: next } : record))
    for (const { firstSeenAt = state.clock.now(), ...one } of opened) {
      state.handlers.push({ group, ...one, sinceVersion: next, untilVersion: undefined, firstSeenAt })
    }
  }
  return registryOf(state)
}

/** A node that registers counts as alive until its first beat must have come: another's register must not undo it. */
function announce(state: MemoryState, group: string, node: string, declared: readonly HandlerDeclaration[]): void {
  const handlers = declared.map(({ name }) => name)
  const before = state.nodes.get(node)
  if (before) before.handlers = handlers
  else {
    const leaseUntilMs = state.clock.monotonicMs() + limits.leaseMs
    state.nodes.set(node, { group, takes: false, handlers, leaseUntilMs, lent: new Map() })
  }
}

function isNamedByOther(state: MemoryState, group: string, node: string, handler: string): boolean {
  return [...state.nodes].some(
    ([name, other]) => name !== node && other.group === group && other.handlers.includes(handler),
  )
}

export function registryOf(state: MemoryState): Registry {
  return { version: state.registryVersion, handlers: [...state.handlers] }
}

export function settingsOf(state: MemoryState): Settings {
  return {
    version: state.settingsVersion,
    paused: [...state.paused],
    circuits: [...state.circuits.values()].sort((a, b) => compareText(a.dependency, b.dependency)),
    limits: [...state.limits.values()].sort((a, b) => compareText(a.dependency, b.dependency)),
  }
}

export function changeSetting(state: MemoryState, change: SettingChange): Settings {
  if (change.verb === 'limit') setLimits(state, change)
  else setPause(state, change)
  return settingsOf(state)
}

/** A pause that is there stays as it was: its actor and since are on record. */
function setPause(state: MemoryState, { verb, what, name, actor, reason }: SettingChange): void {
  const isPaused = state.paused.some((pause) => pause.what === what && pause.name === name)
  if (isPaused === (verb === 'pause')) return
  state.settingsVersion++
  if (verb === 'pause') state.paused.push({ what, name, since: state.clock.now(), actor, reason })
  else state.paused = state.paused.filter((pause) => pause.what !== what || pause.name !== name)
}

function setLimits(state: MemoryState, change: Extract<SettingChange, { readonly verb: 'limit' }>): void {
  const { name: dependency, rate, concurrency, actor, reason } = change
  if (rate === undefined && concurrency === undefined) {
    if (state.limits.delete(dependency)) state.settingsVersion++
    return
  }
  state.settingsVersion++
  state.limits.set(dependency, { dependency, rate, concurrency, since: state.clock.now(), actor, reason })
}

/** Turns a dependency's circuit, where it is as it was seen. */
export function turnCircuit(state: MemoryState, turn: CircuitTurn): CircuitTurned {
  const before = state.circuits.get(turn.dependency)
  const after = turned(before, turn, state.clock.now())
  if (!after) return { applied: false, circuit: before }
  state.settingsVersion++
  state.circuits.set(turn.dependency, after)
  return { applied: true, circuit: after }
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
