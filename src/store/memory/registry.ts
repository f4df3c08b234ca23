import { isDeepStrictEqual } from 'node:util'
import { type HandlerDeclaration, type HandlerRecord, handlerTag, type Registry } from '../../event/handler-record.ts'
import { limits } from '../../kit/limits.ts'
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
  const next = state.registryVersion + 1
  const records = state.handlers.filter((record) => record.group === group)
  const closed = new Set<HandlerRecord>()
  const opened: HandlerRecord[] = []
  const kept = new Set<string>()
  for (const { name, formerly, sources, types } of declared) {
    const before = findNamed(records, [name, ...formerly])
    const tag = before?.tag ?? handlerTag(group, formerly[0] ?? name)
    kept.add(tag)
    const isOpen = before?.untilVersion === undefined
    if (before && isOpen && isDeepStrictEqual([before.name, before.sources, before.types], [name, sources, types]))
      continue
    if (before && isOpen) closed.add(before)
    const firstSeenAt = before?.firstSeenAt ?? state.clock.now()
    opened.push({ group, name, tag, sources, types, sinceVersion: next, untilVersion: undefined, firstSeenAt })
  }
  for (const record of records) {
    if (record.untilVersion !== undefined || kept.has(record.tag) || isNamedByOther(state, group, node, record.name))
      continue
    closed.add(record)
  }
  if (closed.size > 0 || opened.length > 0) {
    state.registryVersion = next
    state.handlers = state.handlers.map((record) => (closed.has(record) ? { ...record, untilVersion: next } : record))
    state.handlers.push(...opened)
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
    state.nodes.set(node, { group, takes: false, handlers, leaseUntilMs })
  }
}

/** The record of the first of these names: an open one before one that has left. */
function findNamed(records: readonly HandlerRecord[], names: readonly string[]): HandlerRecord | undefined {
  const open = names.map((name) => records.find((one) => one.name === name && one.untilVersion === undefined))
  const known = names.map((name) => records.findLast((one) => one.name === name))
  return [...open, ...known].find((record) => record !== undefined)
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
  return { version: state.settingsVersion, paused: [...state.paused] }
}

/** A pause that is there stays as it was: its actor and since are on record. */
export function changeSetting(state: MemoryState, change: SettingChange): Settings {
  const { verb, what, name, actor, reason } = change
  const isPaused = state.paused.some((pause) => pause.what === what && pause.name === name)
  if (isPaused === (verb === 'pause')) return settingsOf(state)
  state.settingsVersion++
  if (verb === 'pause') state.paused.push({ what, name, since: state.clock.now(), actor, reason })
  else state.paused = state.paused.filter((pause) => pause.what !== what || pause.name !== name)
  return settingsOf(state)
}
