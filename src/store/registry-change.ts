import { isDeepStrictEqual } from 'node:util'
import { type HandlerDeclaration, type HandlerRecord, handlerTag } from '../event/handler-record.ts'
import type { Instant } from '../kit/clock.ts'

/** A handler that enters the registry, anew or changed in what it takes. */
export interface OpenedHandler {
  readonly tag: string
  readonly name: string
  readonly sources: readonly string[]
  readonly types: readonly string[]
  /** When its tag was first seen; undefined: now. */
  readonly firstSeenAt: Instant | undefined
}

/** What the next version of a registry changes. */
export interface RegistryChange {
  /** Tags whose open record ends. */
  readonly closed: readonly string[]
  readonly opened: readonly OpenedHandler[]
}

/**
 * What a node's handlers change in its group's registry: what is new of them enters, what no live node names any more
 * leaves.
 *
 * @param records the group's, in the order in which they entered
 * @param isNamedByOther whether another live node of the group has a handler of this name
 */
export function registryChange(
  group: string,
  records: readonly HandlerRecord[],
  declared: readonly HandlerDeclaration[],
  isNamedByOther: (name: string) => boolean,
): RegistryChange {
  const closed = new Set<string>()
  const opened: OpenedHandler[] = []
  const kept = new Set<string>()
  for (const { name, formerly, sources, types } of declared) {
    const before = findNamed(records, [name, ...formerly])
    const tag = before?.tag ?? handlerTag(group, formerly[0] ?? name)
    kept.add(tag)
    const isOpen = before !== undefined && before.untilVersion === undefined
    if (isOpen && isDeepStrictEqual([before.name, before.sources, before.types], [name, sources, types])) continue
    if (isOpen) closed.add(tag)
    opened.push({ tag, name, sources, types, firstSeenAt: before?.firstSeenAt })
  }
  for (const { untilVersion, tag, name } of records) {
    if (untilVersion === undefined && !kept.has(tag) && !isNamedByOther(name)) closed.add(tag)
  }
  return { closed: [...closed], opened }
}

/** The record of the first of these names: an open one before one that has left. */
function findNamed(records: readonly HandlerRecord[], names: readonly string[]): HandlerRecord | undefined {
  const open = names.map((name) => records.find((one) => one.name === name && one.untilVersion === undefined))
  const known = names.map((name) => records.findLast((one) => one.name === name))
  return [...open, ...known].find((record) => record !== undefined)
}
