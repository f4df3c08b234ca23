import pg from 'pg'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { seededRandom } from '../../kit/random.ts'
import { FakeClock } from '../../testing/fake-clock.ts'
import { type ContractWorld, storeContract } from '../../testing/store-contract/index.ts'
import type { Store } from '../store.ts'
import { postgresStore } from './index.ts'

const seed = 1
const shards = 16
let worlds = 0

/** Each handle is a process of its own to the others: its own connections, the same schema. */
class PostgresWorld implements ContractWorld {
  readonly #url: string
  readonly #admin: pg.Pool
  readonly shards = shards
  readonly leaseMs = 1_000
  readonly seed = seed
  readonly #clock = new FakeClock()
  readonly #schema = `contract_${process.pid}_${++worlds}`
  readonly #stores: Store[] = []

  constructor(url: string, admin: pg.Pool) {
    this.#url = url
    this.#admin = admin
  }

  async open(): Promise<Store> {
    const store = await postgresStore({
      url: this.#url,
      schema: this.#schema,
      clock: this.#clock,
      random: seededRandom(worlds + this.#stores.length),
      now: () => this.#clock.now(),
      shards,
      connections: 3,
      migrate: 'auto',
    })
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
    await this.#admin.query(`drop schema if exists ${this.#schema} cascade`)
  }

  async #closeAll(): Promise<void> {
    await Promise.all(this.#stores.splice(0).map((store) => store.close()))
  }
}

for (const { name, url, unavailable } of inject('postgresServers')) {
  const title = `${name}, seed ${seed}${unavailable === undefined ? '' : ` (unavailable: ${unavailable})`}`
  describe.skipIf(unavailable !== undefined)(title, () => {
    const admin = new pg.Pool({ connectionString: url, max: 4 })
    afterAll(() => admin.end())

    it.concurrent.each(storeContract)('$group: $name', async ({ needs, run }) => {
      const world = new PostgresWorld(url, admin)
      try {
        expect(needs?.((await world.open()).abilities)).toBeUndefined()
        await run(world)
      } finally {
        await world.end()
      }
    })
  })
}
