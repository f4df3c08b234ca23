import { type PostgresServer, startPostgres } from '../../test/support/services/postgres.ts'
import { driverSometimes, type Sometimes, sometimes } from '../invariants.ts'
import type { Setting } from '../setting.ts'
import { drawDriverPlan } from './faults.ts'
import { postgresGround } from './ground.ts'
import { Overseer, simulatedSettings } from './overseer.ts'

/** What is not there with a driver and a server: see faults.ts. */
const elsewhere: ReadonlySet<Sometimes> = new Set([
  'commit applied twice',
  'store full',
  'more urgent run first',
  'tenant waited its turn',
  'key waited its turn',
])

/** A server to simulate on: one that `HAPAX_TEST_POSTGRES_URL` names must trust whoever comes. */
export function simulatedServer(): Promise<PostgresServer> {
  return startPostgres({ from: 'registry', settings: simulatedSettings })
}

/** On the PostgreSQL driver and a server of its own, until `close`. */
export async function onPostgres(): Promise<Setting & { close(): Promise<void> }> {
  const server = await simulatedServer()
  const overseer = await Overseer.of(server.url)
  return {
    draw: drawDriverPlan,
    ground: postgresGround(overseer),
    points: [...sometimes.filter((point) => !elsewhere.has(point)), ...driverSometimes],
    async close() {
      await overseer.close()
      await server.stop()
    },
  }
}
