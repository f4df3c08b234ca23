import { createHash } from 'node:crypto'
import { HapaxError } from '../errors/hapax-error.ts'
import { runId } from '../event/run.ts'
import { versionOf, versionText } from '../flow/version-order.ts'
import { compareBytes } from '../kit/byte-order.ts'
import { type Clock, sleep } from '../kit/clock.ts'
import { limits } from '../kit/limits.ts'
import type { Log } from '../kit/log.ts'
import type { Owned, RunRecord, Store } from '../store/store.ts'
import type { VersionScope } from '../store/version-scope.ts'
import { doubtsOf } from './doubts.ts'
import type { Handler, HandlerEvent } from './handler.ts'
import { isThenable } from './in-time.ts'
import { recordError } from './run-errors.ts'

/** What comparing versions needs of its node. */
export interface SupersedingHost {
  readonly clock: Clock
  readonly log: Log
  /** Whether the pair is this node's still. */
  holds(owned: Owned): boolean
  readonly store: Pick<Store, 'newestVersion' | 'raiseVersion'>
}

/** How a run's version stands among those that were processed. */
export interface Standing {
  readonly scope: VersionScope
  readonly version: string
  /** Whether the store has it as the newest already. */
  readonly isKept: boolean
  /** What was processed is newer, and the run goes no further; undefined: it goes on. */
  readonly supersededBy: number | string | undefined
}

/** Keys that are hashed begin so, and so no other does. */
const hashed = 'sha256:'

/** Compares what a run brings with what was processed, by its handler's `supersede`. */
export class Superseding {
  readonly #host: SupersedingHost
  /** Handlers whose functions failed once: said once, however many events they get. */
  readonly #told = new Set<string>()

  constructor(host: SupersedingHost) {
    this.#host = host
  }

  /** @returns undefined where it is not compared: its handler does not want it, its version cannot be told, or it is undone. */
  async look(handler: Handler, event: HandlerEvent, record: RunRecord): Promise<Standing | undefined> {
    if (!handler.supersede || record.state?.undoBegun) return undefined
    const told = this.#tell(handler, handler.supersede, event, record)
    if (!told) return undefined
    const { scope, version } = told
    const newest = await this.#host.store.newestVersion(scope)
    const order = newest === undefined ? -1 : compareBytes(newest, version)
    // A step in doubt is asked for, or repeated, first: its run may not end with that open.
    const isSuperseded = order > 0 && !doubtsOf(record).some(({ doubt }) => doubt)
    const supersededBy = isSuperseded && newest !== undefined ? versionOf(newest) : undefined
    return { scope, version, isKept: order >= 0, supersededBy }
  }

  /**
   * The run was processed: kept before it is settled, again and again while the store fails, since its handler has come to its
   * end and is not to be called once more for that. Answers whether it is kept; false where the pair was lost meanwhile.
   */
  async raise({ scope, version, isKept }: Standing, owned: Owned): Promise<boolean> {
    const { clock, log, store, holds } = this.#host
    while (!isKept && holds(owned)) {
      try {
        await store.raiseVersion(scope, version)
        return true
      } catch (error) {
        log.warn('the version of a run could not be kept, and is tried again', { error: recordError(error).message })
        await sleep(clock, limits.pollMaxMs)
      }
    }
    return isKept
  }

  #tell(
    handler: Handler,
    supersede: NonNullable<Handler['supersede']>,
    event: HandlerEvent,
    record: RunRecord,
  ): Pick<Standing, 'scope' | 'version'> | undefined {
    try {
      const key = keyText(supersede.key(event))
      const version = supersede.version(event)
      const text = versionText(version)
      if (text === undefined) throw wrong('version', 'a finite number, a short text or a date', version)
      return { scope: { tag: record.tag, tenant: event.tenant, key }, version: text }
    } catch (error) {
      if (!this.#told.has(handler.name)) {
        this.#told.add(handler.name)
        this.#host.log.warn('the version of an event could not be told: such runs are executed', {
          handler: handler.name,
          run: runId(record),
          error: recordError(error).message,
        })
      }
      return undefined
    }
  }
}

/**
 * What stores keep of a key: itself, or its hash where it is long, or holds what a database does not keep.
 *
 * @throws `version_invalid`
 */
function keyText(key: unknown): string {
  if (typeof key !== 'string') throw wrong('key', 'text', key)
  const isPlain = key.isWellFormed() && !key.includes('\u0000') && !key.startsWith(hashed)
  if (isPlain && Buffer.byteLength(key) <= limits.idBytes) return key
  return hashed + createHash('sha256').update(Buffer.from(key, 'utf16le')).digest('hex')
}

function wrong(what: 'key' | 'version', wanted: string, value: unknown): HapaxError {
  // Nobody waits for it.
  if (isThenable(value)) Promise.resolve(value).catch(() => {})
  return new HapaxError('version_invalid', { reason: `${what}: wanted ${wanted}, found ${typeof value}` })
}
