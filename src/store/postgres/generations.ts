import { limits } from '../../kit/limits.ts'
import type { Log } from '../../kit/log.ts'
import { numberIn, optionalNumberIn } from '../sql/columns.ts'
import type { PurgeRequest } from '../store.ts'
import type { Connections } from './connection.ts'
import { fullGenerationBytes } from './generation-size.ts'
import type { Now } from './now.ts'
import type { Naming } from './schema.ts'

/** Generations that share the time for which identities are kept: where few come, they must be forgotten too. */
const generationsKept = 4

/** Identities to a page of a generation's filter: 10 ms of the server each. */
const filterRows = 20_000

/** How long a change of a table waits for those who use it, and they for it. */
const waitMs = 100

/** Accepts write twice while an older generation cannot be sealed; after so long it is told. */
export const generationOverdueMs = 3_600_000

/** How generations are kept. */
export interface GenerationOptions {
  readonly now: Now
  readonly log: Log
  /** Size at which the next is opened. Default: {@link fullGenerationBytes}. */
  readonly generationBytes: number | undefined
}

/** Opens generations of the ledger, seals those that nobody writes any more, and drops what is forgotten. */
export class Generations {
  readonly #connections: Connections
  readonly #options: GenerationOptions
  readonly #sql: Record<'look' | 'make' | 'open' | 'mark' | 'seal' | 'filter' | 'pass' | 'drop', string>
  #isTold = false

  constructor(connections: Connections, naming: Naming, options: GenerationOptions) {
    this.#connections = connections
    this.#options = options
    const size = (number: string) => `pg_relation_size(to_regclass(format(':s.%I', 'ledger_' || ${number})))`
    this.#sql = {
      // Events that are in their range yet are remembered with it: what they left is not looked through before that is gone.
      look: naming.sql(`
        select :s.now_1($1::double precision) as now, o.oldest, o.newest, o.mark,
          (select g.opened_at from :s.ledger_generation g where g.number = o.newest) as opened_at,
          ${size('o.newest')} as written, ${size('o.newest + 1')} is not null as has_next,
          (select coalesce(sum(${size('g.number')}), 0)::bigint from :s.ledger_generation g where g.number < o.newest) as sealed,
          (select max(g.number) from :s.ledger_generation g where g.token is not null and not coalesce(
            (select f.is_last from :s.ledger_filter f where f.generation = g.number order by f.page desc limit 1), false)) as unfiltered,
          (select g.number from :s.ledger_generation g
            where g.number = (select min(f.number) from :s.ledger_generation f)
              and g.sealed_at < $2::double precision and g.sealed_at < $3::double precision
              and not exists (select from :s.journal_range r where r.relation = 'event' and r.low_at < g.sealed_at)) as ended
        from :s.ledger_open o`),
      make: naming.sql('select :s.make_generation_1($1, $2)'),
      open: naming.sql('select :s.open_generation_1($1, $2) as is_open'),
      mark: naming.sql('select :s.mark_generation_1()'),
      seal: naming.sql('select :s.seal_generation_1($1) as is_sealed'),
      filter: naming.sql('select :s.filter_generation_1($1, $2) as is_whole'),
      pass: naming.sql('select :s.pass_generation_1($1, $2) as is_through'),
      drop: naming.sql('select :s.drop_generation_1($1, $2) as is_dropped'),
    }
  }

  /**
   * One step of upkeep: short, on any node, at any time.
   *
   * @returns whether the next may follow at once
   */
  async tend({ identitiesBefore, journalBefore, rows }: PurgeRequest): Promise<boolean> {
    const now = this.#options.now()
    const found = await this.#connections.row(this.#sql.look, [now, identitiesBefore, journalBefore])
    const [oldest, newest] = [numberIn(found, 'oldest'), numberIn(found, 'newest')]
    const written = numberIn(found, 'written')
    const most = this.#options.generationBytes ?? fullGenerationBytes(numberIn(found, 'sealed'))
    const [at, openedAt] = [numberIn(found, 'now'), numberIn(found, 'opened_at')]
    const isOld = at - openedAt > (at - identitiesBefore) / generationsKept
    if (oldest < newest) await this.#seal(at - openedAt)
    else if (found.has_next !== true) await this.#connections.rows(this.#sql.make, [newest, waitMs])
    else if (written >= most || (isOld && written > 0)) {
      const { is_open } = await this.#connections.row(this.#sql.open, [now, newest])
      if (is_open === true) await this.#seal(0)
    }
    const unfiltered = optionalNumberIn(found, 'unfiltered')
    const isFiltering = unfiltered !== undefined && !(await this.#filter(unfiltered))
    const ended = optionalNumberIn(found, 'ended')
    return (ended !== undefined && (await this.#forget(ended, rows))) || isFiltering
  }

  /** Each in a transaction of its own: see ledger-functions.ts. */
  async #seal(sinceMs: number): Promise<void> {
    await this.#connections.rows(this.#sql.mark)
    const sealed = await this.#connections.row(this.#sql.seal, [this.#options.now()])
    const isOverdue = sealed.is_sealed !== true && sinceMs > generationOverdueMs
    if (isOverdue && !this.#isTold)
      this.#options.log.warn(
        'identities are written twice: a transaction is open from before the ledger’s generation',
        { sinceMs },
      )
    this.#isTold = isOverdue
  }

  /** @returns whether its filter is whole */
  async #filter(number: number): Promise<boolean> {
    const row = await this.#connections.row(this.#sql.filter, [number, filterRows], limits.storeWorkMs)
    return row.is_whole === true
  }

  /** @returns whether there is more of it */
  async #forget(number: number, rows: number): Promise<boolean> {
    const page = await this.#connections.row(this.#sql.pass, [number, rows], limits.storeWorkMs)
    if (page.is_through !== true) return true
    const { is_dropped } = await this.#connections.row(this.#sql.drop, [number, waitMs], limits.storeWorkMs)
    return is_dropped === true
  }
}
