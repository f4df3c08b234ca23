import { createHash } from 'node:crypto'
import pg from 'pg'
import { body } from '../payload.ts'
import { tables } from './postgres-tables.ts'

/** An event as the limit has it in hand: what can be made ready before is. */
export interface Prepared {
  readonly id: string
  readonly identity: string
  readonly bytes: Uint8Array
}

interface Repeatable {
  readonly event: Prepared
  readonly key: string
}
interface Waiting<Item> {
  readonly item: Item
  readonly resolve: () => void
}

/** What one commit gathers. */
class Group {
  readonly accepts: Waiting<Repeatable>[] = []
  readonly settles: Waiting<string>[] = []
  readonly checkpoints: Waiting<{ readonly key: string; readonly step: string }>[] = []

  get size(): number {
    return this.accepts.length + this.settles.length + this.checkpoints.length
  }

  /** Takes the later half into a group of its own. */
  halve(): Group {
    const half = new Group()
    half.accepts.push(...this.accepts.splice(Math.ceil(this.accepts.length / 2)))
    half.settles.push(...this.settles.splice(Math.ceil(this.settles.length / 2)))
    half.checkpoints.push(...this.checkpoints.splice(Math.ceil(this.checkpoints.length / 2)))
    return half
  }
}

/** As the engine has them: two commits under way, the second beside the first from 16 items on, 512 items at most. */
const flightsMax = 2
const flightItems = 16
const groupItems = 512

/**
 * The limit on PostgreSQL: the rows that the engine writes, by one prepared statement for each commit, in groups that form
 * as the engine's do. It has nothing around them: no handler, no fence, no function in the server, no answer but that it is done.
 */
export class PostgresByHand {
  readonly #pool: pg.Pool
  readonly #handed: boolean
  #gathering = new Group()
  #flights = 0
  #asked = false
  #sequence = 0

  /** @param handed whether the process that accepts is the one that runs, which is in the rows of its events */
  constructor(url: string, handed: boolean) {
    this.#handed = handed
    // Two plans only, neither from a time when the tables were small.
    this.#pool = new pg.Pool({
      connectionString: url,
      max: flightsMax,
      options: '-c enable_seqscan=off -c plan_cache_mode=force_generic_plan',
    })
  }

  async prepare(): Promise<void> {
    await this.#pool.query(tables)
  }

  /** Once per identity; a repeat is recorded at the first. Answers the key that the event has if it is the first. */
  async accept(event: Prepared): Promise<string> {
    const key = this.#key()
    await this.#put(this.#gathering.accepts, { event, key })
    return key
  }

  async settle(key: string): Promise<void> {
    await this.#put(this.#gathering.settles, key)
  }

  async checkpoint(key: string, step: string): Promise<void> {
    await this.#put(this.#gathering.checkpoints, { key, step })
  }

  /** Keys of a page of events, which is read with their bodies: what has to be read before a backlog can be run. */
  async page(after: string, limit: number): Promise<string[]> {
    const { rows } = await this.#pool.query<{ key: string }>({
      name: 'page',
      text: 'select e.*, b.bytes from event e join body b using (key) where e.key > $1::uuid order by e.key limit $2',
      values: [after, limit],
    })
    return rows.map(({ key }) => key)
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }

  /** In time order, as the engine's keys are. */
  #key(): string {
    const time = Date.now().toString(16).padStart(12, '0')
    return `${time}7000${(++this.#sequence).toString(16).padStart(16, '0')}`
  }

  #put<Item>(list: Waiting<Item>[], item: Item): Promise<void> {
    return new Promise((resolve) => {
      list.push({ item, resolve })
      this.#ask()
    })
  }

  #ask(): void {
    if (this.#asked || this.#flights >= flightsMax || this.#gathering.size === 0) return
    if (this.#flights > 0 && this.#gathering.size < flightItems) return
    this.#asked = true
    const go = () => {
      this.#asked = false
      const group = this.#gathering
      this.#gathering = new Group()
      const later = (this.#flights === 0 && group.size >= 2 * flightItems) || group.size > groupItems
      const half = later ? group.halve() : undefined
      this.#send(group)
      if (half) this.#send(half)
    }
    if (this.#flights > 0) process.nextTick(go)
    else setImmediate(go)
  }

  #send(group: Group): void {
    this.#flights++
    this.#commit(group).then(
      (missed) => {
        this.#flights--
        for (const waiting of group.accepts) {
          if (missed.has(waiting.item.key)) this.#gathering.accepts.push(waiting)
          else waiting.resolve()
        }
        for (const { resolve } of [...group.settles, ...group.checkpoints]) resolve()
        this.#ask()
      },
      (error: unknown) => {
        throw error
      },
    )
  }

  /** Answers the keys of repeats whose first came with the commit beside this one: this one could not see it. */
  async #commit({ accepts, settles, checkpoints }: Group): Promise<ReadonlySet<string>> {
    const parts: string[] = []
    const values: (string | number | Buffer)[] = [Date.now(), this.#sequence]
    const place = (value: string | number | Buffer) => `$${values.push(value)}`
    this.#sequence += settles.length + checkpoints.length
    if (accepts.length > 0) {
      const items = accepts.map(({ item }) => item)
      let from = 1
      const byteFrom = items.map(({ event }) => {
        const at = from
        from += event.bytes.length
        return at
      })
      const list = (texts: readonly (string | number)[]) => place(`{${texts.join(',')}}`)
      parts.push(
        acceptParts(
          [
            `${list(items.map(({ key }) => key))}::uuid[]`,
            `${list(items.map(({ event }) => event.identity))}::uuid[]`,
            `${list(items.map(({ event }) => event.id))}::text[]`,
            `${list(byteFrom)}::integer[]`,
            `${list(items.map(({ event }) => event.bytes.length))}::integer[]`,
          ],
          place(Buffer.concat(items.map(({ event }) => event.bytes))),
          this.#handed,
        ),
      )
    }
    if (settles.length > 0) {
      const keys = place(`{${settles.map(({ item }) => item).join(',')}}`)
      parts.push(`settled as (insert into settlement
        select key, $2::bigint + place, 1, $1, $1, $1, 1, 1, 1, 1, 'cg2ybwd4', 'default', 'settle-payment', null, '{"ok":true}', null
        from unnest(${keys}::uuid[]) with ordinality s(key, place))`)
    }
    if (checkpoints.length > 0) {
      const keys = place(`{${checkpoints.map(({ item }) => item.key).join(',')}}`)
      const steps = place(`{${checkpoints.map(({ item }) => item.step).join(',')}}`)
      parts.push(`kept as (insert into checkpoint
        select key, $2::bigint + ${settles.length > 0 ? '1000' : '0'} + place, 1, $1, 1, 1, false, 'cg2ybwd4',
          'step:' || length(step) || ':' || step, '{"ok":true}', '{"step":{"kind":"step","name":"' || step || '","of":""},'
            || '"startedAt":1764000000000,"endedAt":1764000000000,"firstTriedAt":1764000000000}'
        from unnest(${keys}::uuid[], ${steps}::text[]) with ordinality c(key, step, place))`)
    }
    // The same kinds give the same text.
    const kinds = [accepts, settles, checkpoints].map(({ length }) => (length > 0 ? 1 : 0)).join('')
    const { rows } = await this.#pool.query<{ missed: string[] }>({
      name: `commit_${kinds}`,
      text: `with given as (select $1::double precision, $2::bigint), ${parts.join(', ')}
        select ${accepts.length > 0 ? missedOnes : "'{}'"}::text[] as missed`,
      values,
    })
    return new Set(rows[0]?.missed.map((key) => key.replaceAll('-', '')))
  }
}

/** Identity and event once; whoever finds its identity taken is a repeat of the one who has it. */
function acceptParts(lists: readonly string[], bytes: string, handed: boolean): string {
  return `
    put as materialized (select *, ('x' || right(key::text, 12))::bit(48)::bigint as position
      from unnest(${lists.join(', ')}) u(key, identity, id, byte_from, byte_count)),
    claimed as (insert into ledger select identity, key from put order by identity on conflict do nothing returning key),
    fresh as materialized (select p.* from put p join claimed using (key)),
    events as (insert into event
      select key, position, position % 64, 1, 1, 1, $1, ${handed ? 1 : 'null'}, identity, null, 'default', 'stripe', id,
        'payment_intent.succeeded', repeat('f', 43), 'application/json', ${handed ? "'default'" : 'null'}, null, null
      from fresh),
    bodies as (insert into body select key, substring(${bytes}::bytea from byte_from for byte_count) from fresh),
    repeats as (insert into repeat
      select coalesce(l.key, f.key), p.key, p.position, 'duplicate', $1, p.id, null, 1,
        repeat('f', 43)
      from put p left join ledger l on l.identity = p.identity left join fresh f on f.identity = p.identity
      where p.key not in (select key from fresh) and coalesce(l.key, f.key) is not null
      returning repeated_by)`
}

const missedOnes = `array(select key from put
  where key not in (select key from fresh) and key not in (select repeated_by from repeats))`

/** All that the limit need not do while it is measured. */
export function prepared(id: string): Prepared {
  const identity = createHash('sha256').update(`default/stripe/${id}`).digest('hex').slice(0, 32)
  return { id, identity, bytes: body(id) }
}
