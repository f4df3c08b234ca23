import { limits } from '../../kit/limits.ts'
import type { Log } from '../../kit/log.ts'
import { numberIn, textIn } from '../sql/columns.ts'
import type { Connections } from './connection.ts'
import { IdentityFilter } from './identity-filter.ts'
import type { Naming } from './schema.ts'

/** What a node knows by heart of sealed generations, as a commit says it. */
export interface FilteredGenerations {
  readonly from: number
  readonly to: number
  /** Of the sealing of the last of them: another history has another one. */
  readonly token: string
  /**
   * The generation that may have an identity; `anyGeneration` where several may, `noGeneration` where none can.
   *
   * @param digest the identity's, a character for each byte
   */
  suspectedOf(digest: string): number
}

/** A filter of one generation. */
interface Filter {
  readonly number: number
  readonly token: string
  readonly prefixes: IdentityFilter
}

/** No generation that is filtered has it. */
export const noGeneration = -1

/** It has to be looked for in all of them. */
export const anyGeneration = 0

/**
 * Filters of the ledger's sealed generations, in this node's memory. What is sealed is never written again: who has read what
 * it has knows for ever what it has not, and a new identity need not be looked for there (decision 20).
 */
export class LedgerFilters {
  readonly #connections: Connections
  readonly #log: Log
  readonly #mostBytes: number
  readonly #sql: Record<'list' | 'page', string>
  #known: FilteredGenerations | undefined
  #filters: readonly Filter[] = []
  #renewing: Promise<void> | undefined

  /** @param mostBytes memory for all filters; the newest generations come first */
  constructor(connections: Connections, naming: Naming, log: Log, mostBytes: number = limits.ledgerFilterBytes) {
    this.#connections = connections
    this.#log = log
    this.#mostBytes = mostBytes
    this.#sql = {
      list: naming.sql(`
        select g.number, g.token::text as token, sum(f.identities)::integer as identities, max(f.page) as pages
        from :s.ledger_generation g join :s.ledger_filter f on f.generation = g.number
        where g.token is not null group by g.number having bool_or(f.is_last) order by g.number desc`),
      page: naming.sql('select f.prefixes from :s.ledger_filter f where f.generation = $1 and f.page = $2'),
    }
  }

  /** What is known now; undefined before the first is read. */
  get known(): FilteredGenerations | undefined {
    return this.#known
  }

  /** Reads what was sealed and filtered since, one call at a time. Never rejects: without a filter the server looks. */
  renew(): Promise<void> {
    this.#renewing ??= this.#renew()
      .catch((error: unknown) => {
        this.#log.debug('filters of the ledger were not read', { error: String(error) })
      })
      .finally(() => {
        this.#renewing = undefined
      })
    return this.#renewing
  }

  async #renew(): Promise<void> {
    const kept: Filter[] = []
    let bytes = 0
    for (const row of await this.#connections.rows(this.#sql.list)) {
      const [number, token, identities] = [numberIn(row, 'number'), textIn(row, 'token'), numberIn(row, 'identities')]
      const before = kept.at(-1)
      bytes += IdentityFilter.bytesOf(identities)
      // They are known from one to another, without a gap.
      if (bytes > this.#mostBytes || (before && before.number !== number + 1)) break
      const filter =
        this.#filters.find((one) => one.number === number && one.token === token) ??
        (await this.#read(number, token, identities, numberIn(row, 'pages')))
      if (!filter) break
      kept.push(filter)
      this.#keep([...kept])
    }
    this.#keep(kept)
  }

  /** Undefined: it was dropped meanwhile. */
  async #read(number: number, token: string, identities: number, pages: number): Promise<Filter | undefined> {
    const prefixes = new IdentityFilter(identities)
    for (let page = 1; page <= pages; page++) {
      const [row] = await this.#connections.rows(this.#sql.page, [number, page])
      if (!(row?.prefixes instanceof Buffer)) return undefined
      prefixes.append(row.prefixes)
    }
    return prefixes.isWhole ? { number, token, prefixes } : undefined
  }

  #keep(filters: readonly Filter[]): void {
    const [newest, oldest] = [filters[0], filters.at(-1)]
    this.#filters = filters
    this.#known = newest &&
      oldest && {
        from: oldest.number,
        to: newest.number,
        token: newest.token,
        suspectedOf: (digest) => suspectedOf(filters, digest),
      }
  }
}

function suspectedOf(filters: readonly Filter[], digest: string): number {
  const byte = (index: number) => digest.charCodeAt(index)
  const head = (byte(0) << 24) | (byte(1) << 16) | (byte(2) << 8) | byte(3)
  let suspected = noGeneration
  for (const { number, prefixes } of filters) {
    if (!prefixes.mayHave(head, byte(4))) continue
    if (suspected !== noGeneration) return anyGeneration
    suspected = number
  }
  return suspected
}
