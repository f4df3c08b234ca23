import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../testing/fake-clock.ts'
import { type ContractWorld, storeContract } from '../../testing/store-contract/index.ts'
import type { Store } from '../store.ts'
import { sqliteStore } from './index.ts'

const seed = 1
const shards = 16

/** Each handle is a process of its own to the others: its own writer, its own connections, the same file. */
class SqliteWorld implements ContractWorld {
  readonly shards = shards
  readonly leaseMs = 1_000
  readonly seed = seed
  readonly #clock = new FakeClock()
  readonly #folder = mkdtempSync(join(tmpdir(), 'hapax-contract-'))
  readonly #stores: Store[] = []

  async open(): Promise<Store> {
    const store = await sqliteStore({ path: join(this.#folder, 'hapax.db'), clock: this.#clock, shards })
    this.#stores.push(store)
    return store
  }

  async restart(): Promise<Store> {
    await this.#closeAll()
    return this.open()
  }

  advance(ms: number): Promise<void> {
    return this.#clock.advance(ms)
  }

  async end(): Promise<void> {
    await this.#closeAll()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #closeAll(): Promise<void> {
    await Promise.all(this.#stores.splice(0).map((store) => store.close()))
  }
}

describe(`sqlite store, seed ${seed}`, () => {
  it.concurrent.each(storeContract)('$group: $name', async ({ needs, run }) => {
    const world = new SqliteWorld()
    try {
      expect(needs?.((await world.open()).abilities)).toBeUndefined()
      await run(world)
    } finally {
      await world.end()
    }
  })
})
