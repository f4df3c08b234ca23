import { settledWithin } from '../../kit/clock.ts'
import { type Finding, failure, fine, warning } from '../finding.ts'
import { numberIn, textIn } from '../sql/columns.ts'
import type { Diagnosis } from './diagnose.ts'

/** Of so many looks at the clock the one that took least counts. */
const clockLooks = 5

/** What the role may do. It needs no more than to read and write. */
export async function roleFindings({ connections, naming }: Diagnosis): Promise<Finding[]> {
  const role = await connections.row('select rolname, rolsuper from pg_roles where rolname = current_user')
  const lacks = await connections.rows(
    `select 'usage' as lacks, $1::text as name where not has_schema_privilege($1, 'usage')
     union all
     select r.lacks, c.relname from pg_class c cross join unnest('{select,insert,update,delete}'::text[]) r(lacks)
     where c.relnamespace = to_regnamespace($1) and c.relkind in ('r', 'p') and not c.relispartition
       and (c.relname <> 'version' or r.lacks = 'select') and not has_table_privilege(c.oid, r.lacks)
     union all
     select 'usage', c.relname from pg_class c
     where c.relnamespace = to_regnamespace($1) and case c.relkind when 'S' then not has_sequence_privilege(c.oid, 'usage') else false end
     union all
     select distinct 'execute', p.proname from pg_proc p
     where p.pronamespace = to_regnamespace($1) and p.proname <> 'accept' and not has_function_privilege(p.oid, 'execute')
     order by 2, 1`,
    [naming.schema],
  )
  const name = textIn(role, 'rolname')
  if (lacks.length > 0) {
    const some = lacks.slice(0, 5).map((row) => `${textIn(row, 'lacks')} on ${textIn(row, 'name')}`)
    const more = lacks.length > some.length ? ` and ${lacks.length - some.length} more` : ''
    const todo = `hapax migrate --role ${name}, run by the owner of schema ${naming.schema}, grants them`
    return [failure('role', `${name} lacks ${some.join(', ')}${more}`, 'the rights to serve', todo)]
  }
  if (role.rolsuper === true) {
    const todo = 'serve as a role of its own: docs/postgres.md has its rights'
    return [warning('role', `${name} is a superuser`, 'a role that can do no more than serve', todo)]
  }
  return [fine('role', `${name} may do what it needs`)]
}

/** Whether the server has room for the pools of all nodes that live. */
export async function connectionFindings(diagnosis: Diagnosis): Promise<Finding[]> {
  const { connections, naming, now, nodeConnections } = diagnosis
  const row = await connections.row(
    naming.sql(`
    select current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
        - coalesce(current_setting('reserved_connections', true)::integer, 0) as most,
      (select nullif(r.rolconnlimit, -1) from pg_roles r where r.rolname = current_user) as role_most,
      (select nullif(d.datconnlimit, -1) from pg_database d where d.datname = current_database()) as database_most,
      (select count(*) from pg_stat_activity a
       where coalesce(a.backend_type, 'client backend') = 'client backend' and a.application_name is distinct from 'hapax') as others,
      (select count(*) from :s.node n where n.lease_until >= :s.now_1($1::double precision)) as nodes`),
    [now()],
  )
  const limits = [row.most, row.role_most, row.database_most].filter((one) => typeof one === 'number')
  const most = Math.min(...limits)
  const [nodes, others] = [numberIn(row, 'nodes'), numberIn(row, 'others')]
  const wanted = nodes * nodeConnections
  const found = `${nodes} nodes of at most ${nodeConnections} connections each, and ${others} of others; ${most} may be open`
  if (wanted + others <= most) return [fine('connections', found)]
  const todo =
    'raise max_connections or the limit of the role or the database, lower the pools of others, or put PgBouncer in between'
  return [warning('connections', found, `${wanted + others} connections that may be open at once`, todo)]
}

/** This machine's clock beside the server's: keys carry the one, leases and retention go by the other. */
export async function clockFindings({ connections, clock, bounds }: Diagnosis): Promise<Finding[]> {
  let least = { tookMs: Number.POSITIVE_INFINITY, aheadMs: 0 }
  for (let look = 0; look < clockLooks; look++) {
    const [sentAtMs, sentAt] = [clock.monotonicMs(), clock.now()]
    const row = await connections.row('select extract(epoch from clock_timestamp())::double precision * 1000 as at')
    const tookMs = clock.monotonicMs() - sentAtMs
    if (tookMs < least.tookMs) least = { tookMs, aheadMs: sentAt + tookMs / 2 - numberIn(row, 'at') }
  }
  const aheadMs = Math.round(Math.abs(least.aheadMs))
  if (aheadMs - least.tookMs / 2 <= bounds.skewMs) {
    return [fine('clock', `this machine and the server are ${aheadMs} ms apart`)]
  }
  const found = `this machine is ${aheadMs} ms ${least.aheadMs < 0 ? 'behind' : 'ahead of'} the server`
  const todo = 'let NTP set both machines'
  return [warning('clock', found, `at most ${bounds.skewMs} ms apart`, todo)]
}

/** Whether a notification is heard by another connection: not through a pooler of transactions. */
export async function hintFindings({ connect, connections, naming, clock, bounds }: Diagnosis): Promise<Finding[]> {
  const channel = `hapax_doctor_${naming.schema}`
  const client = connect()
  client.on('error', () => {})
  try {
    await client.connect()
    const heard = new Promise<void>((resolve) => client.on('notification', () => resolve()))
    await client.query(`listen "${channel}"`)
    await connections.rows('select pg_notify($1, $2)', [channel, ''])
    if (await settledWithin(clock, heard, bounds.hintMs)) return [fine('notifications', 'heard')]
  } finally {
    await client.end().catch(() => undefined)
  }
  return [
    warning(
      'notifications',
      `not heard within ${bounds.hintMs} ms, as behind a pooler of transactions: work of other nodes is found by polling`,
      'LISTEN and NOTIFY that reach this process',
      'let the store connect to the server itself or through a pooler of sessions; else it costs a statement a second more',
    ),
  ]
}
