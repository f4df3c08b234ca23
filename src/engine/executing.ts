import type { Instant } from '../kit/clock.ts'
import type { RunSummary } from '../store/store.ts'
import type { Entry } from './entry.ts'
import { freshState } from './interventions.ts'

/** The runs that execute in this process: no record says so, since that would cost a commit each. */
export class Executing {
  readonly #group: string
  readonly #handlerName: (tag: string) => string
  readonly #runs = new Map<string, { readonly entry: Entry; readonly since: Instant }>()

  constructor(group: string, handlerName: (tag: string) => string) {
    this.#group = group
    this.#handlerName = handlerName
  }

  /** The run, which counts as executing until {@link end}. */
  begin(entry: Entry, since: Instant): Entry {
    this.#runs.set(entry.id, { entry, since })
    return entry
  }

  end(entry: Entry): void {
    this.#runs.delete(entry.id)
  }

  list(): RunSummary[] {
    return [...this.#runs.values()].flatMap(({ entry, since }) => {
      const { event, record, tag } = entry
      // Its event is being read yet.
      if (!event) return []
      const { tenant, source, id, type } = event
      return {
        run: { event: record.event, position: record.position, tag },
        handler: this.#handlerName(tag),
        group: this.#group,
        identity: { tenant, source, id },
        type,
        state: { ...(record.state ?? freshState(since)), status: 'running' as const, reason: undefined, since },
      }
    })
  }
}
