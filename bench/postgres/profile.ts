import { type Profiler as Inspector, Session } from 'node:inspector/promises'
import type pg from 'pg'
import type { Measured } from '../measure.ts'

/** What names a figure of a profile among what a side measured: microseconds of its process, and bytes of the server's log. */
export const profiled = { time: 'µs ', log: 'B ', process: 'process µs' } as const

/** Where the time of a process goes, by the first of these that a frame's file holds. */
const parts: readonly (readonly [part: string, inUrl: string])[] = [
  ['producers and bodies', '/bench/'],
  ['engine', '/src/engine/'],
  ['store driver', '/src/store/'],
  ['rest of Hapax', '/src/'],
  ['pg', '/node_modules/'],
  ['Node: sockets, timers, crypto', 'node:'],
]

/** Bytes by what they were written for. Whatever a record changes beside, it counts for the first page that it names. */
const logSql = `
  select case when r.oid is null then 'catalogs' else regexp_replace(coalesce(t.relname, r.relname), '_(default|[0-9]{8}.*)$', '') end
      || case when t.oid is null then '' else ', indexes' end as part,
    sum(b.record_length)::float8 as bytes
  from pg_get_wal_block_info($1, $2, false) b
  left join pg_class r on pg_relation_filenode(r.oid) = b.relfilenode and r.relnamespace <> 'pg_catalog'::regnamespace
  left join pg_index x on x.indexrelid = r.oid
  left join pg_class t on t.oid = x.indrelid
  where b.block_id = 0
  group by 1`

/** One span of work, looked at: who takes the processor in this process, and what the server's log has grown by. */
export class SpanProfile {
  readonly #client: pg.Client
  readonly #session: Session
  readonly #from: string
  readonly #processorTime = process.cpuUsage()

  private constructor(client: pg.Client, session: Session, from: string) {
    this.#client = client
    this.#session = session
    this.#from = from
  }

  /** @param client of the database that is worked in */
  static async begin(client: pg.Client): Promise<SpanProfile> {
    await client.query('create extension if not exists pg_walinspect')
    const session = new Session()
    session.connect()
    await session.post('Profiler.enable')
    await session.post('Profiler.setSamplingInterval', { interval: 500 })
    const from = await lsn(client)
    await session.post('Profiler.start')
    return new SpanProfile(client, session, from)
  }

  /** @param count of events: all figures are for one */
  async end(count: number): Promise<Measured> {
    const { user, system } = process.cpuUsage(this.#processorTime)
    const { profile } = await this.#session.post('Profiler.stop')
    const to = await lsn(this.#client)
    const { rows } = await this.#client.query<{ part: string; bytes: number }>(logSql, [this.#from, to])
    const [total] = (
      await this.#client.query<{ bytes: string }>('select $1::pg_lsn - $2::pg_lsn as bytes', [to, this.#from])
    ).rows
    const named = rows.reduce((sum, { bytes }) => sum + bytes, 0)
    const log = [...rows, { part: 'commits and page headers', bytes: Number(total?.bytes) - named }]
    return {
      ...Object.fromEntries(timesOf(profile).map(([part, us]) => [profiled.time + part, us / count])),
      [profiled.process]: (user + system) / count,
      ...Object.fromEntries(log.map(({ part, bytes }) => [profiled.log + part, bytes / count])),
    }
  }
}

async function lsn(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ lsn: string }>('select pg_current_wal_flush_lsn() as lsn')
  return rows[0]?.lsn ?? '0/0'
}

/** Microseconds of each part, idle ones left out. */
function timesOf({ nodes, samples = [], timeDeltas = [] }: Inspector.Profile): [string, number][] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))
  const partOf = (id: number): string | undefined => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const { functionName, url } = byId.get(at)?.callFrame ?? { functionName: '', url: '' }
      if (functionName === '(garbage collector)') return 'garbage collector'
      if (functionName === '(idle)') return undefined
      if (functionName === '(program)') return 'Node: native code'
      // What is native is its caller's.
      const part = parts.find(([, inUrl]) => url.includes(inUrl))
      if (part) return part[0]
    }
    return 'Node: native code'
  }
  const times = new Map<string, number>()
  for (const [index, id] of samples.entries()) {
    const part = partOf(id)
    if (part !== undefined) times.set(part, (times.get(part) ?? 0) + (timeDeltas[index] ?? 0))
  }
  return [...times]
}
