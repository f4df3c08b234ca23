import { HapaxError } from '../../errors/hapax-error.ts'
import { numberIn, textIn } from '../sql/columns.ts'
import type { Connections } from './connection.ts'

/** The major versions that the suite runs between. */
export const versions = { least: 15, most: 18 } as const

/**
 * A standby shows what was: no decision is made from it.
 *
 * @throws `store_refused` for a standby, and for a server that is too old.
 */
export async function checkServer(connections: Connections): Promise<void> {
  const server = await connections.row(`
    select current_setting('server_version_num')::integer as number, current_setting('server_version') as version,
      pg_is_in_recovery() as recovers`)
  if (server.recovers === true) {
    throw new HapaxError('store_refused', { reason: 'the server is a standby: point the store at the primary' })
  }
  if (numberIn(server, 'number') < versions.least * 10_000) {
    const reason = `PostgreSQL ${versions.least} or later is needed, found ${textIn(server, 'version')}`
    throw new HapaxError('store_refused', { reason })
  }
}
