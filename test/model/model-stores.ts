import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { inject } from 'vitest'
import { seededRandom } from '../../src/kit/random.ts'
import { postgresStore } from '../../src/store/postgres/index.ts'
import { sqliteStore } from '../../src/store/sqlite/index.ts'
import type { Store } from '../../src/store/store.ts'
import type { FakeClock } from '../../src/testing/fake-clock.ts'

/** A place where a store keeps what it has, between one process and the next. */
export interface ModelPlace {
  open(): Promise<Store>
  remove(): void | Promise<void>
}

/** A kind of store that is walked beside the memory store. */
export interface ModelStore {
  readonly name: string
  /** Width of its ranges of time, where retention drops whole ones: times are asked for in steps of it. */
  readonly rangeMs?: number
  make(clock: FakeClock, shards: number): ModelPlace
}

/** SQLite with a ledger so small that walks pass through all that becomes of its generations. */
const sqliteFile: ModelStore = {
  name: 'sqlite',
  make(clock, shards) {
    const folder = mkdtempSync(join(tmpdir(), 'hapax-model-'))
    const ledger = { sealEntries: 9, mergeCount: 2, sliceRows: 5 }
    return {
      open: () => sqliteStore({ path: join(folder, 'hapax.db'), clock, shards, ledger }),
      remove: () => rmSync(folder, { recursive: true, force: true }),
    }
  },
}

let schemas = 0

/** A schema of its own on the server of the run, with ranges so short and generations so small that walks pass through many. */
const postgresSchema: ModelStore = {
  name: 'postgres',
  rangeMs: 40_000,
  make(clock, shards) {
    const url = inject('postgresUrl')
    const schema = `model_${process.pid}_${++schemas}`
    return {
      open: () =>
        postgresStore({
          url,
          schema,
          clock,
          random: seededRandom(schemas),
          now: () => clock.now(),
          shards,
          rangeMs: 40_000,
          generationBytes: 1,
          connections: 2,
          migrate: 'auto',
        }),
      remove: async () => {
        const client = new pg.Client({ connectionString: url })
        await client.connect()
        await client.query(`drop schema if exists ${schema} cascade`)
        await client.end()
      },
    }
  },
}

/** Every store that must answer as the memory store does. */
export const modelStores: readonly ModelStore[] = [sqliteFile, postgresSchema]
