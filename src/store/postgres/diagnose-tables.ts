import { type Finding, fine, warning } from '../finding.ts'
import { numberIn, optionalNumberIn, optionalTextIn, textIn } from '../sql/columns.ts'
import type { Row } from '../sql/rows.ts'
import type { Diagnosis } from './diagnose.ts'
import { generationOverdueMs } from './generations.ts'

/** Tables that stay small however much goes through: their dead rows are read with each look. */
const small = ['standing', 'pair', 'node', 'meta', 'intervention', 'unclaimed', 'pause', 'rejected', 'lent', 'circuit']

/** What retention is through with goes within a day and the width of a range, or nobody sweeps. */
const overdueMs = 86_400_000

/** Rows looked at for what is overdue. */
const overdueRows = 1_000

/** Age of the oldest transaction number from which on it is pressing: the server stops writing at some two thousand million. */
const oldestMost = 1_000_000_000

/** Dead rows of the small tables, and how old the database's numbers are. */
export async function tableFindings({ connections, naming, bounds }: Diagnosis): Promise<Finding[]> {
  const rows = await connections.rows(
    `select s.relname, s.n_live_tup as live, s.n_dead_tup as dead, pg_total_relation_size(s.relid) as bytes,
       extract(epoch from clock_timestamp() - greatest(s.last_vacuum, s.last_autovacuum))::double precision * 1000 as vacuumed_ms
     from pg_stat_user_tables s where s.schemaname = $1 and s.relname = any($2::text[]) order by s.n_dead_tup desc`,
    [naming.schema, `{${small.join(',')}}`],
  )
  const findings = rows.flatMap((row): Finding[] => {
    const [live, dead] = [numberIn(row, 'live'), numberIn(row, 'dead')]
    if (dead < bounds.deadRows || dead < live * bounds.deadShare) return []
    const name = textIn(row, 'relname')
    const vacuumed = row.vacuumed_ms === null ? 'never vacuumed' : 'vacuumed without them'
    const found = `${name} has ${dead} dead rows beside ${live} live ones in ${mebibytes(row)} MiB, ${vacuumed}`
    const todo = `see horizon, then: vacuum ${naming.schema}.${name}`
    return [warning('bloat', found, `fewer than ${bounds.deadRows} dead rows`, todo)]
  })
  if (findings.length === 0) {
    const dead = rows.reduce((sum, row) => sum + numberIn(row, 'dead'), 0)
    findings.push(fine('bloat', `${dead} dead rows in the tables that stay small`))
  }
  const { oldest } = await connections.row(
    'select age(datfrozenxid) as oldest from pg_database where datname = current_database()',
  )
  if (typeof oldest === 'number' && oldest > oldestMost) {
    const found = `the oldest transaction number is ${oldest} back`
    findings.push(warning('bloat', found, `fewer than ${oldestMost}`, 'see horizon, then: vacuum freeze'))
  }
  return findings
}

/** Tables of which the planner knows nothing, or that vacuum is told to leave alone. */
export async function statisticFindings({ connections, naming, bounds }: Diagnosis): Promise<Finding[]> {
  const rows = await connections.rows(
    `select c.relname, c.reltuples < 0 as unknown, pg_relation_size(c.oid) as bytes,
       'autovacuum_enabled=false' = any(c.reloptions) as left_alone
     from pg_class c where c.relnamespace = to_regnamespace($1) and c.relkind = 'r'
       and ((c.reltuples < 0 and pg_relation_size(c.oid) >= $2::bigint) or 'autovacuum_enabled=false' = any(c.reloptions))
     order by c.relname`,
    [naming.schema, bounds.analysedBytes],
  )
  const findings = rows.map((row): Finding => {
    const name = textIn(row, 'relname')
    const table = `${naming.schema}.${name}`
    return row.left_alone === true
      ? warning(
          'statistics',
          `autovacuum leaves ${name} alone`,
          'autovacuum',
          `alter table ${table} reset (autovacuum_enabled)`,
        )
      : warning(
          'statistics',
          `${name} has ${mebibytes(row)} MiB and was never analysed`,
          'statistics',
          `analyze ${table}`,
        )
  })
  return findings.length > 0 ? findings : [fine('statistics', 'no large table without them')]
}

/** Whether each table that is laid in ranges has one for now and one for what comes next. */
export async function rangeFindings({ connections, naming, now }: Diagnosis): Promise<Finding[]> {
  const rows = await connections.rows(
    naming.sql(`
      select p.relname as parent, pg_get_expr(c.relpartbound, c.oid) as bound, :s.now_1($1::double precision) as now
      from pg_partitioned_table t join pg_class p on p.oid = t.partrelid
      left join pg_inherits i on i.inhparent = p.oid left join pg_class c on c.oid = i.inhrelid
      where p.relnamespace = to_regnamespace($2) and t.partstrat = 'r' order by p.relname`),
    [now(), naming.schema],
  )
  const [first] = rows
  if (!first) return []
  const parents = new Map<string, (Range | undefined)[]>()
  for (const row of rows) {
    const name = textIn(row, 'parent')
    parents.set(name, [...(parents.get(name) ?? []), rangeOf(optionalTextIn(row, 'bound'))])
  }
  const findings = [...parents].flatMap(([name, ranges]): Finding[] => {
    const lacks = missingRange(ranges, numberIn(first, 'now'))
    if (!lacks) return []
    const found = `${name} has no range for ${lacks === 'now' ? 'now' : 'what comes after the present one'}`
    const todo = 'a node makes them with its sweep: look at its log, and whether the role may make them'
    return [warning('ranges', found, 'ranges made ahead', todo)]
  })
  return findings.length > 0 ? findings : [fine('ranges', `${parents.size} tables have theirs made ahead`)]
}

/** Whether an older generation of the ledger waits for long to be sealed: accepts write each identity twice until it is. */
export async function ledgerFindings({ connections, naming, now }: Diagnosis): Promise<Finding[]> {
  const row = await connections.row(
    naming.sql(`
      select o.oldest < o.newest as is_changing, :s.now_1($1::double precision) - g.opened_at as since_ms,
        (select count(*) from :s.ledger_generation) as generations, (select count(*) from :s.ledger_filter f where f.is_last) as filtered
      from :s.ledger_open o join :s.ledger_generation g on g.number = o.newest`),
    [now()],
  )
  const minutes = Math.floor(numberIn(row, 'since_ms') / 60_000)
  if (row.is_changing === true && minutes * 60_000 > generationOverdueMs) {
    const found = `the ledger's last two generations have both been written for ${minutes} minutes`
    const todo = 'end the transactions that horizon tells of, and let a node run: its sweep goes on'
    return [warning('ledger', found, 'one, but for moments', todo)]
  }
  const [generations, filtered] = [numberIn(row, 'generations'), numberIn(row, 'filtered')]
  return [fine('ledger', `generations of the ledger: ${generations}, with filters: ${filtered}`)]
}

/** What a partition takes, in milliseconds; from inclusive, to exclusive. */
export interface Range {
  readonly from: number
  readonly to: number
}

/**
 * Reads a bound as the catalogue writes it, of a key (its first 48 bits are milliseconds) or of milliseconds; undefined for
 * a default, and for what is laid out by something else.
 */
export function rangeOf(bound: string | undefined): Range | undefined {
  const found = /^FOR VALUES FROM \((.+)\) TO \((.+)\)$/.exec(bound ?? '')
  const [from, to] = [edgeOf(found?.[1]), edgeOf(found?.[2])]
  return from === undefined || to === undefined ? undefined : { from, to }
}

function edgeOf(text: string | undefined): number | undefined {
  if (text === 'MINVALUE') return Number.NEGATIVE_INFINITY
  if (text === 'MAXVALUE') return Number.POSITIVE_INFINITY
  const bare = text?.replaceAll("'", '') ?? ''
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(bare))
    return Number.parseInt(bare.replace('-', '').slice(0, 12), 16)
  return /^\d+(\.\d+)?$/.test(bare) ? Number(bare) : undefined
}

/** Which range is missing, of those of one table; undefined where none is, or where it has none that can be read. */
export function missingRange(ranges: readonly (Range | undefined)[], now: number): 'now' | 'next' | undefined {
  const known = ranges.filter((range) => range !== undefined)
  if (known.length === 0 && ranges.some((range) => range === undefined)) return undefined
  const present = known.find(({ from, to }) => from <= now && now < to)
  if (!present) return 'now'
  const hasNext =
    present.to === Number.POSITIVE_INFINITY || known.some(({ from, to }) => from <= present.to && present.to < to)
  return hasNext ? undefined : 'next'
}

/** Whether what retention is through with goes: else no node sweeps, or its sweep fails. */
export async function retentionFindings({ connections, naming, kept }: Diagnosis): Promise<Finding[]> {
  const ended = (table: string, before: string) => `
    select count(*) filter (where not exists (select from :s.standing t where t.key = old.key)
      and exists (select from :s.settlement s where s.key = old.key)) as overdue,
      (select min(e.accepted_at) from (select e.accepted_at from :s.event e join :s.${table} x using (key) order by e.key limit 1) e) as oldest_at
    from (select x.key from :s.${table} x join :s.event e using (key)
      where e.accepted_at < ${before}::double precision
        - (select coalesce(max(r.high_at - r.low_at), 0) from :s.journal_range r) order by x.key limit ${overdueRows}) old`
  const [bodies, events] = await Promise.all([
    connections.row(naming.sql(ended('body', '$1')), [kept.payloadsBefore - overdueMs]),
    connections.row(naming.sql(ended('event', '$1')), [kept.journalBefore - overdueMs]),
  ])
  const findings = [['payloads', bodies] as const, ['events', events] as const].flatMap(([what, row]): Finding[] => {
    const overdue = numberIn(row, 'overdue')
    if (overdue === 0) return []
    const found = `${overdue === overdueRows ? `${overdue} or more` : overdue} ${what} of runs that have ended are a day past their retention`
    const todo = 'let a node run; where one does, its log says why its sweep fails'
    return [warning('retention', found, 'none', todo)]
  })
  if (findings.length > 0) return findings
  const oldest = optionalNumberIn(events, 'oldest_at')
  return [fine('retention', oldest === undefined ? 'nothing is kept yet' : 'nothing is overdue')]
}

function mebibytes(row: Row): number {
  return Math.ceil(numberIn(row, 'bytes') / 1_048_576)
}
