import pg from 'pg'
import { expect } from 'vitest'
import { itemTypeOids } from '../../src/store/postgres/item-types.ts'
import type { FilteredGenerations } from '../../src/store/postgres/ledger-filters.ts'
import { commitParamCount, commitParams, type Param } from '../../src/store/postgres/params.ts'
import type { Naming } from '../../src/store/postgres/schema.ts'
import type { AcceptItem } from '../../src/store/store.ts'

/** A connection whose transaction stays open until a test ends it. */
export class PostgresHand {
  readonly client: pg.Client
  readonly #url: string
  readonly #naming: Naming
  #pid = 0
  /** Numbers of the server's types: as it gives them, so they are read by who packs rows. */
  #types: ReturnType<typeof JSON.parse>

  private constructor(url: string, naming: Naming) {
    this.#url = url
    this.#naming = naming
    this.client = new pg.Client({ connectionString: url })
  }

  static async open(url: string, naming: Naming, begin = 'begin'): Promise<PostgresHand> {
    const hand = new PostgresHand(url, naming)
    await hand.client.connect()
    const { rows } = await hand.client.query<{ pid: number }>('select pg_backend_pid() as pid')
    hand.#pid = rows[0]?.pid ?? 0
    hand.#types = (await hand.client.query(naming.sql(itemTypeOids))).rows[0]
    await hand.client.query(begin)
    return hand
  }

  /** Its commit, in the open transaction; resolves when it has run, whoever it waits for. */
  accept(
    items: readonly AcceptItem[],
    nowMs: number,
    contended = false,
    filtered?: FilteredGenerations,
  ): Promise<unknown[]> {
    const params = commitParams({ accept: items }, nowMs, { careful: false, contended }, this.#types, filtered)
    return this.#commit('commit_2', params)
  }

  /** The same, as a node of an earlier version asks for it. */
  acceptAsBefore(items: readonly AcceptItem[], nowMs: number): Promise<unknown[]> {
    const params = commitParams({ accept: items }, nowMs, { careful: false, contended: false }, this.#types)
    return this.#commit('commit_1', params.slice(0, commitParamCount - 4))
  }

  async #commit(name: string, params: readonly Param[]): Promise<unknown[]> {
    const text = this.#naming.sql(`select * from :s.${name}(${params.map((_, index) => `$${index + 1}`).join(', ')})`)
    return (await this.client.query<{ accept: unknown[] }>(text, [...params])).rows[0]?.accept ?? []
  }

  run(text: string): Promise<unknown> {
    return this.client.query(this.#naming.sql(text))
  }

  /** Resolves once somebody waits for this transaction to end. */
  async isWaitedFor(): Promise<void> {
    const watcher = new pg.Client({ connectionString: this.#url })
    await watcher.connect()
    const waiting = 'select w.pid from pg_locks w where not w.granted and $1 = any(pg_blocking_pids(w.pid))'
    try {
      await expect.poll(async () => (await watcher.query(waiting, [this.#pid])).rowCount).toBeGreaterThan(0)
    } finally {
      await watcher.end()
    }
  }

  async end(): Promise<void> {
    await this.client.end()
  }
}
