import { hash } from 'node:crypto'
import type { Instant } from '../kit/clock.ts'

/** A handler as the store's registry has it. */
export interface HandlerRecord {
  readonly group: string
  readonly name: string
  /** Eight characters from group and first name: the second half of a run's id. Stays over renames. */
  readonly tag: string
  readonly sources: readonly string[]
  readonly types: readonly string[]
  /** The first registry version that has it. */
  readonly sinceVersion: number
  /** The first registry version that has it no longer: no live node of the group lists it. */
  readonly untilVersion: number | undefined
  readonly firstSeenAt: Instant
}

/** What a node says of a handler when it registers. */
export interface HandlerDeclaration {
  readonly name: string
  /** Names it had before; it takes over their runs. */
  readonly formerly: readonly string[]
  readonly sources: readonly string[]
  readonly types: readonly string[]
}

/** All handlers of a store. Each change raises the version by one. */
export interface Registry {
  readonly version: number
  readonly handlers: readonly HandlerRecord[]
}

/** Crockford's alphabet in lower case reads well beside an event key. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/** The tag of a handler, from its group and the first name that it had. */
export function handlerTag(group: string, firstName: string): string {
  const digest = hash('sha256', `${group.length}:${group}${firstName}`, 'buffer')
  let tag = ''
  for (let index = 0; index < 8; index++) tag += alphabet.charAt((digest[index] ?? 0) & 31)
  return tag
}

/** Whether a pattern, exact or with a trailing `*`, takes the text. */
export function patternTakes(pattern: string, text: string): boolean {
  return pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : pattern === text
}

/** Whether this handler is subscribed to such events. */
export function handlerTakes(handler: Pick<HandlerRecord, 'sources' | 'types'>, source: string, type: string): boolean {
  return (
    handler.sources.some((pattern) => patternTakes(pattern, source)) &&
    handler.types.some((pattern) => patternTakes(pattern, type))
  )
}

/** Whether a person means this handler: by its name in every group, or as `group/name`. */
export function isCalled({ group, name }: Pick<HandlerRecord, 'group' | 'name'>, called: string): boolean {
  return called === name || called === `${group}/${name}`
}

/** Whether its group has it now: no deploy took it away. */
export function isLive({ untilVersion }: HandlerRecord): boolean {
  return untilVersion === undefined
}

/** Whether the registry of this version has the handler. */
export function inVersion(handler: HandlerRecord, version: number): boolean {
  return handler.sinceVersion <= version && (handler.untilVersion === undefined || version < handler.untilVersion)
}

/** The handler with this tag, under the name and subscription that it had last. */
export function handlerOfTag(registry: Registry, tag: string): HandlerRecord | undefined {
  let latest: HandlerRecord | undefined
  for (const handler of registry.handlers) {
    if (handler.tag === tag && handler.sinceVersion >= (latest?.sinceVersion ?? 0)) latest = handler
  }
  return latest
}

/** The handlers that an event accepted under its registry version gets runs of. */
export function handlersOf(
  registry: Registry,
  event: { readonly source: string; readonly type: string; readonly registryVersion: number },
): HandlerRecord[] {
  return registry.handlers.filter(
    (handler) => inVersion(handler, event.registryVersion) && handlerTakes(handler, event.source, event.type),
  )
}
