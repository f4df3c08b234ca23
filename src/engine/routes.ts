import type { EventRecord } from '../event/event.ts'
import { type HandlerRecord, handlersOf, type Registry } from '../event/handler-record.ts'
import { limits } from '../kit/limits.ts'

/** What says whom an event is for. */
type Routed = Pick<EventRecord, 'source' | 'type' | 'registryVersion'>

/**
 * The handlers that events of the newest registry are for, found once for each source and type: to compare both with every handler's
 * patterns is done for each event twice.
 */
export class Routes {
  readonly #registry: () => Registry
  readonly #isWanted: (handler: HandlerRecord) => boolean
  /** By source, then by type: a name put together of both is hashed anew for each event. */
  #known = new Map<string, Map<string, readonly HandlerRecord[]>>()
  #held = 0
  #of: Registry | undefined

  constructor(registry: () => Registry, isWanted: (handler: HandlerRecord) => boolean = () => true) {
    this.#registry = registry
    this.#isWanted = isWanted
  }

  /** Of an event that is accepted now. */
  of(source: string, type: string): readonly HandlerRecord[] {
    const registry = this.#registry()
    if (registry !== this.#of || this.#held > limits.routesHeld) this.#forget(registry)
    let types = this.#known.get(source)
    if (!types) {
      types = new Map()
      this.#known.set(source, types)
    }
    const known = types.get(type)
    if (known) return known
    const found = this.#find({ source, type, registryVersion: registry.version })
    types.set(type, found)
    this.#held++
    return found
  }

  /** Of an event that was accepted under some version of the registry. */
  ofAccepted(event: Routed): readonly HandlerRecord[] {
    return event.registryVersion === this.#registry().version ? this.of(event.source, event.type) : this.#find(event)
  }

  #find(event: Routed): readonly HandlerRecord[] {
    return handlersOf(this.#registry(), event).filter(this.#isWanted)
  }

  #forget(registry: Registry): void {
    this.#known = new Map()
    this.#held = 0
    this.#of = registry
  }
}
