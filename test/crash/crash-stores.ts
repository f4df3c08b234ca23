import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import { inject } from 'vitest'
import { schemaUrl } from '../support/services/postgres.ts'

/** A store that nodes share while they are killed, and what its own database keeps of the handlers' bookings. */
export interface CrashStore {
  readonly url: string
  /** For the nodes: what a handler's transaction writes into; nothing where it makes the table itself. */
  readonly environment: Readonly<Record<string, string>>
  /** Event ids that the transactions wrote. */
  bookings(): Promise<string[]>
  remove(): Promise<void>
}

/** A kind of store, and how much it is put through in the suite's own budget. */
export interface CrashStoreKind {
  readonly name: string
  readonly kills: number
  readonly events: number
  make(folder: string): Promise<CrashStore>
}

const sqlite: CrashStoreKind = {
  name: 'sqlite',
  kills: 150,
  events: 50_000,
  async make(folder) {
    const path = `${folder}/hapax.db`
    return {
      url: `sqlite:${path}`,
      environment: {},
      async bookings() {
        const database = new DatabaseSync(path, { readOnly: true })
        const rows = database.prepare('select event from booking').all()
        database.close()
        return rows.map(({ event }) => String(event))
      },
      remove: async () => undefined,
    }
  },
}

const postgres: CrashStoreKind = {
  name: 'postgres',
  kills: 50,
  events: 12_000,
  async make() {
    const server = inject('postgresUrl')
    const schema = `crash_${process.pid}`
    const pool = new pg.Pool({ connectionString: server, max: 1 })
    await pool.query(`create schema ${schema}_own; create table ${schema}_own.booking (event text not null)`)
    return {
      url: schemaUrl(server, schema),
      environment: { CRASH_BOOKING: `${schema}_own.booking`, HAPAX_MIGRATE: 'auto' },
      async bookings() {
        const { rows } = await pool.query<{ event: string }>(`select event from ${schema}_own.booking`)
        return rows.map(({ event }) => event)
      },
      async remove() {
        await pool.query(`drop schema if exists ${schema} cascade; drop schema ${schema}_own cascade`)
        await pool.end()
      },
    }
  },
}

/** Every store that nodes may be killed on. */
export const crashStores: readonly CrashStoreKind[] = [sqlite, postgres]
