import { configInvalid } from '../errors/config-invalid.ts'
import { handlerTag } from '../event/handler-record.ts'
import type { Handler } from './handler.ts'

/**
 * The handlers of a node by their tag.
 *
 * @throws `config_invalid` where two share a name, or, one in 10¹², a tag
 */
export function handlerIndex(group: string, handlers: readonly Handler[]): ReadonlyMap<string, Handler> {
  const index = new Map<string, Handler>()
  const names = new Set<string>()
  for (const handler of handlers) {
    const firstName = handler.formerly[0] ?? handler.name
    const tag = handlerTag(group, firstName)
    if (names.has(handler.name) || index.has(tag)) {
      throw configInvalid([`handler "${handler.name}" is given twice`])
    }
    names.add(handler.name)
    index.set(tag, handler)
  }
  return index
}
