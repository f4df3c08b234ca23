import { numberIn, textIn } from '../sql/columns.ts'
import type { Row } from '../sql/rows.ts'
import type { LateFingerprint, Unfingerprinted } from '../store.ts'
import { integerArray, keyArray, textArray } from './binary-arrays.ts'
import type { Connections } from './connection.ts'
import { keyUuid } from './key-bytes.ts'
import type { Naming } from './schema.ts'

const zero = '00000000-0000-0000-0000-000000000000'

/** Fingerprints of what was accepted without one: read beside the events, listed where missing, appended. */
export class LateFingerprints {
  readonly #connections: Connections
  readonly #sql: Record<'late' | 'settle' | 'waiting' | 'append', string>

  constructor(connections: Connections, naming: Naming) {
    this.#connections = connections
    this.#sql = {
      late: naming.sql('select * from :s.late_fingerprint where key = any($1::uuid[])'),
      settle: naming.sql('select :s.settle_waiting_1()'),
      // What comes with the bytes of its event is judged with it.
      waiting: naming.sql(`
        select w.key, w.repeated_by, e.tenant, e.source, coalesce(w.content_type, e.content_type) as content_type,
          coalesce(w.bytes, b.bytes) as bytes
        from :s.unfingerprinted w join :s.event e on e.key = w.key left join :s.body b on b.key = w.key
        where (w.key, w.repeated_by) > ($2::uuid, $3::uuid) and (w.bytes is not null or w.repeated_by = w.key)
        order by w.key, w.repeated_by limit $1::integer`),
      append: naming.sql('select :s.append_fingerprints_1($1, $2, $3, $4)'),
    }
  }

  /** Puts the fingerprint into rows of `event` that came without. Others cost nothing. */
  async complete(rows: readonly Row[]): Promise<void> {
    const without = rows.filter((row) => numberIn(row, 'fingerprint_key') === 0)
    if (without.length === 0) return
    const keys = keyArray(without.map((row) => textIn(row, 'key')))
    const found = await this.#connections.rows(this.#sql.late, [keys])
    const byKey = new Map(found.map((row) => [textIn(row, 'key'), row]))
    for (const row of without) Object.assign(row, byKey.get(textIn(row, 'key')))
  }

  async waiting(limit: number, after: Unfingerprinted | undefined): Promise<Unfingerprinted[]> {
    if (!after) await this.#connections.rows(this.#sql.settle)
    const place = after ? [keyUuid(after.event), keyUuid(after.repeatedBy ?? after.event)] : [zero, zero]
    const rows = await this.#connections.rows(this.#sql.waiting, [limit, ...place])
    return rows.flatMap((row) => {
      if (!(row.bytes instanceof Uint8Array)) return []
      const [event, repeatedBy] = [textIn(row, 'key'), textIn(row, 'repeated_by')]
      return {
        event,
        ...(repeatedBy === event ? {} : { repeatedBy }),
        tenant: textIn(row, 'tenant'),
        source: textIn(row, 'source'),
        contentType: textIn(row, 'content_type'),
        body: row.bytes,
      }
    })
  }

  async append(items: readonly LateFingerprint[]): Promise<void> {
    if (items.length === 0) return
    await this.#connections.rows(this.#sql.append, [
      keyArray(items.map(({ event }) => event)),
      keyArray(items.map(({ event, repeatedBy }) => repeatedBy ?? event)),
      integerArray(items.map(({ fingerprint }) => fingerprint.keyId)),
      textArray(items.map(({ fingerprint }) => fingerprint.hash)),
    ])
  }
}
