import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

/** Every store that must answer as the memory store does. */
export const modelStores: readonly ModelStore[] = [sqliteFile]
