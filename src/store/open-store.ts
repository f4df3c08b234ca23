import { HapaxError } from '../errors/hapax-error.ts'
import type { Clock } from '../kit/clock.ts'
import type { Log } from '../kit/log.ts'
import type { Random } from '../kit/random.ts'
import type { Store } from './store.ts'

/** What a driver is opened with. */
export interface OpenStoreOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Opens only what is there, and neither makes nor changes anything: every write is refused. */
  readonly lookOnly?: boolean
}

/**
 * Opens the store that a URL names; only its driver is loaded.
 *
 * @param url `memory:` or `sqlite:path/to/file.db`
 * @throws `store_unknown`, `store_refused`
 */
export async function openStore(url: string, options: OpenStoreOptions): Promise<Store> {
  const colon = url.indexOf(':')
  const scheme = colon < 0 ? url : url.slice(0, colon)
  const rest = url.slice(colon + 1)
  if (scheme === 'memory') {
    const { memoryWorld } = await import('./memory/index.ts')
    return memoryWorld({ clock: options.clock }).connect()
  }
  if (scheme === 'sqlite') {
    if (colon < 0 || rest === '')
      throw new HapaxError('store_refused', { reason: 'sqlite: needs a path, like sqlite:hapax.db' })
    const { sqliteStore } = await import('./sqlite/index.ts')
    return sqliteStore({ path: rest, ...options })
  }
  throw new HapaxError('store_unknown', { scheme })
}
