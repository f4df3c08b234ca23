import type { Handler } from '../engine/handler.ts'
import type { Schedule } from '../engine/schedule.ts'
import type { Retention } from '../engine/sweeper.ts'
import type { AlertChannel } from '../event/alert.ts'
import type { Duration } from '../kit/duration.ts'
import type { LogLevel } from '../kit/log.ts'
import type { Source } from '../sources/source.ts'

/** What a config file exports. Every option has a default; docs/configuration.md lists them. */
export interface HapaxConfig {
  readonly store?: string
  readonly migrate?: 'check' | 'auto'
  readonly group?: string
  readonly key?: string
  readonly concurrency?: number
  readonly lease?: Duration
  readonly beat?: Duration
  readonly grace?: Duration
  readonly server?: { readonly host?: string; readonly port?: number; readonly hosts?: readonly string[] }
  readonly retention?: Retention
  readonly log?: { readonly level?: LogLevel }
  readonly sources?: readonly Source[]
  readonly handlers?: readonly Handler[]
  readonly schedules?: readonly Schedule[]
  readonly alerts?: readonly AlertChannel[]
}

/**
 * Types a config file; returns what it is given.
 *
 * @example
 * export default defineConfig({ store: 'sqlite:hapax.db', sources: [stripe({ secret })], handlers: [settle] })
 */
export function defineConfig(config: HapaxConfig): HapaxConfig {
  return config
}
