import { type Finding, fine, warning } from '../finding.ts'
import { optionalNumberIn, optionalTextIn, textIn } from '../sql/columns.ts'
import type { Row } from '../sql/rows.ts'
import type { Diagnosis } from './diagnose.ts'

const wanted = 'nothing that keeps dead rows for long'

/**
 * Who keeps vacuum from removing dead rows: transactions that are open, prepared ones, slots and standbys. Of sessions in
 * this database alone; a walsender belongs to none.
 */
const statement = `
  select 'transaction' as kind, a.pid::text as name, a.application_name as application, a.state,
    extract(epoch from clock_timestamp() - a.xact_start)::double precision * 1000 as open_ms,
    age(coalesce(a.backend_xmin, a.backend_xid)) as behind, null::boolean as active, null::double precision as kept_bytes
  from pg_stat_activity a
  where a.pid <> pg_backend_pid() and coalesce(a.backend_xmin, a.backend_xid) is not null and a.xact_start is not null
    and a.datname = current_database() and a.backend_type not in ('autovacuum worker', 'walsender')
  union all
  select 'prepared', p.gid, null, p.owner, extract(epoch from clock_timestamp() - p.prepared)::double precision * 1000,
    age(p.transaction), null, null
  from pg_prepared_xacts p where p.database = current_database()
  union all
  select 'slot', s.slot_name, s.slot_type, null, null, greatest(age(s.xmin), age(s.catalog_xmin)), s.active,
    case when not pg_is_in_recovery() then pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)::double precision end
  from pg_replication_slots s
  union all
  select 'standby', r.pid::text, r.application_name, r.state, null, age(r.backend_xmin), null, null
  from pg_stat_replication r
  order by open_ms desc nulls last`

/** What holds the horizon back. */
export async function horizonFindings({ connections, bounds }: Diagnosis): Promise<Finding[]> {
  const rows = await connections.rows(statement)
  const findings = rows.flatMap((row): Finding[] => {
    const kind = textIn(row, 'kind')
    const openMs = optionalNumberIn(row, 'open_ms') ?? 0
    const behind = optionalNumberIn(row, 'behind') ?? 0
    if (kind === 'transaction' || kind === 'prepared') {
      return openMs >= bounds.openMs ? [kind === 'prepared' ? prepared(row, openMs) : open(row, openMs, behind)] : []
    }
    if (kind === 'standby') return behind >= bounds.behind ? [standby(row, behind)] : []
    const keptBytes = optionalNumberIn(row, 'kept_bytes') ?? 0
    const isLeft = row.active === false && keptBytes >= bounds.slotBytes
    return behind >= bounds.behind || isLeft ? [slot(row, behind, keptBytes)] : []
  })
  const sight = await connections.row("select pg_has_role(current_user, 'pg_read_all_stats', 'usage') as all_seen")
  if (sight.all_seen !== true) {
    findings.push(
      warning('horizon', 'this role sees its own sessions alone', 'a look at all', 'grant pg_read_all_stats to it'),
    )
  }
  return findings.length > 0
    ? findings
    : [fine('horizon', `no transaction is open for ${spanOf(bounds.openMs)} or longer`)]
}

function open(row: Row, openMs: number, behind: number): Finding {
  const name = textIn(row, 'name')
  const application = optionalTextIn(row, 'application') || 'unnamed'
  const state = optionalTextIn(row, 'state') ?? 'of an unknown state'
  const found = `process ${name} (${application}, ${state}) has a transaction open for ${spanOf(openMs)}, ${behind} transactions ago`
  return warning('horizon', found, wanted, `end it: select pg_terminate_backend(${name})`)
}

function prepared(row: Row, openMs: number): Finding {
  const found = `transaction ${textIn(row, 'name')} of ${optionalTextIn(row, 'state')} was prepared ${spanOf(openMs)} ago and not ended`
  return warning('horizon', found, wanted, 'commit prepared or rollback prepared, by its name')
}

function standby(row: Row, behind: number): Finding {
  const found = `standby ${optionalTextIn(row, 'application') || textIn(row, 'name')} still reads what was current ${behind} transactions ago`
  return warning('horizon', found, wanted, 'end the long query on the standby, or set hot_standby_feedback=off there')
}

function slot(row: Row, behind: number, keptBytes: number): Finding {
  const name = textIn(row, 'name')
  const who = row.active === true ? 'is in use' : 'is used by nobody'
  const found = `slot ${name} ${who}, keeps ${Math.round(keptBytes / 1_048_576)} MiB of log, and rows of ${behind} transactions ago`
  return warning('horizon', found, wanted, `attach what reads it, or select pg_drop_replication_slot('${name}')`)
}

/** A span to read, not to reckon with. */
function spanOf(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  if (seconds < 120) return `${seconds} s`
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`
}
