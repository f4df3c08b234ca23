import pg from 'pg'
import { afterAll, describe, expect, inject, it, type ProvidedContext } from 'vitest'
import { seededRandom } from '../../kit/random.ts'
import { FakeClock } from '../../testing/fake-clock.ts'
import { type ContractWorld, storeContract } from '../../testing/store-contract/index.ts'
import type { Store } from '../store.ts'
import { postgresGrant, postgresStore } from './index.ts'

const seed = 1
const shards = 16
let worlds = 0

type Offered = ProvidedContext['postgresServers'][number]

/** Each handle is a process of its own to the others: its own connections, the same schema. */
class PostgresWorld implements ContractWorld {
  readonly #server: Offered
  readonly #admin: pg.Pool
  readonly shards = shards
  readonly leaseMs = 1_000
  readonly rangeMs = 60_000
  readonly seed = seed
  readonly #clock = new FakeClock()
  readonly #schema = `contract_${process.pid}_${++worlds}`
  readonly #stores: Store[] = []
  #isMade = false

  constructor(server: Offered, admin: pg.Pool) {
    this.#server = server
    this.#admin = admin
  }

  async open(): Promise<Store> {
    const { url, serving } = this.#server
    if (serving && !this.#isMade) {
      this.#isMade = true
      await (await this.#connect(url)).close()
      await postgresGrant({ url, schema: this.#schema }, serving.role)
    }
    const store = await this.#connect(serving?.url ?? url)
    this.#stores.push(store)
    return store
  }

  #connect(url: string): Promise<Store> {
    return postgresStore({
      url,
      schema: this.#schema,
      clock: this.#clock,
      random: seededRandom(worlds + this.#stores.length),
      now: () => this.#clock.now(),
      shards,
      rangeMs: this.rangeMs,
      generationBytes: 1,
      connections: 3,
      migrate: 'auto',
    })
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

for (const server of inject('postgresServers')) {
  const { name, url, unavailable } = server
  const title = `${name}, seed ${seed}${unavailable === undefined ? '' : ` (unavailable: ${unavailable})`}`
  describe.skipIf(unavailable !== undefined)(title, () => {
    const admin = new pg.Pool({ connectionString: url, max: 4 })
    afterAll(() => admin.end())

    it.concurrent.for(storeContract)('$group: $name', async ({ needs, run }, { skip }) => {
      const world = new PostgresWorld(server, admin)
      try {
        const { abilities } = await world.open()
        const reason = needs?.(abilities)
        expect(reason === undefined || abilities.retention === 'ranges').toBe(true)
        if (reason !== undefined) skip(reason)
        await run(world)
      } finally {
        await world.end()
      }
    })
  })
}
