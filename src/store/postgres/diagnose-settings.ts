import { type Finding, failure, fine, warning } from '../finding.ts'
import { numberIn, textIn } from '../sql/columns.ts'
import type { Diagnosis } from './diagnose.ts'
import { versions } from './server.ts'

/** Shorter than this, a limit of the server ends what a handler may well do. */
const shortMs = 60_000

const read = [
  'fsync',
  'full_page_writes',
  'synchronous_commit',
  'synchronous_standby_names',
  'autovacuum',
  'track_counts',
  'statement_timeout',
  'transaction_timeout',
  'idle_in_transaction_session_timeout',
  'transaction_read_only',
] as const

/** The settings that hold for this role on this server. */
export async function settingFindings({ connections }: Diagnosis): Promise<Finding[]> {
  const rows = await connections.rows('select name, setting from pg_settings where name = any($1::text[])', [
    `{${read.join(',')}}`,
  ])
  const all = new Map(rows.map((row) => [textIn(row, 'name'), textIn(row, 'setting')]))
  const server = await connections.row(`
    select current_setting('server_version_num')::integer as version, current_setting('server_version') as called,
      quote_ident(current_user) as role, pg_is_in_recovery() as recovers, (select count(*) from pg_stat_replication) as standbys`)
  const setting = (name: (typeof read)[number]) => all.get(name) ?? ''
  return [
    versionFinding(numberIn(server, 'version'), textIn(server, 'called')),
    writesFinding(server.recovers === true, setting('transaction_read_only')),
    durabilityFinding(setting('fsync'), setting('full_page_writes')),
    commitFinding(setting('synchronous_commit'), setting('synchronous_standby_names'), numberIn(server, 'standbys')),
    vacuumFinding(setting('autovacuum'), setting('track_counts')),
    ...timeoutFindings(
      textIn(server, 'role'),
      Number(setting('idle_in_transaction_session_timeout')),
      Math.min(
        ...[Number(setting('statement_timeout')), Number(setting('transaction_timeout'))].filter((ms) => ms > 0),
      ),
    ),
  ]
}

function versionFinding(version: number, called: string): Finding {
  const major = Math.floor(version / 10_000)
  const wanted = `PostgreSQL ${versions.least} to ${versions.most}`
  const found = `PostgreSQL ${called}`
  if (major < versions.least) return failure('version', found, wanted, 'upgrade the server')
  if (major > versions.most)
    return warning('version', found, wanted, 'upgrade Hapax to a version that knows this server')
  return fine('version', found)
}

function writesFinding(recovers: boolean, readOnly: string): Finding {
  const wanted = 'the primary, open for writing'
  if (recovers) return failure('writes', 'the server is a standby', wanted, 'point the store at the primary')
  if (readOnly === 'on') {
    const todo = 'take default_transaction_read_only from the role, the database or the server'
    return failure('writes', 'transactions are read-only', wanted, todo)
  }
  return fine('writes', 'the server is a primary')
}

function durabilityFinding(fsync: string, fullPageWrites: string): Finding {
  const found = `fsync=${fsync}, full_page_writes=${fullPageWrites}`
  if (fsync === 'on' && fullPageWrites === 'on') return fine('durability', found)
  return failure(
    'durability',
    `${found}: a crash of the machine loses receipts, or the whole database`,
    'fsync=on, full_page_writes=on',
    'set both on and reload the server; make a new copy of what was written meanwhile',
  )
}

function commitFinding(commit: string, names: string, standbys: number): Finding {
  const about = 'commit'
  const found = `synchronous_commit=${commit}, synchronous_standby_names=${names === '' ? 'none' : names}`
  if (commit === 'off') {
    const todo = 'set synchronous_commit=on for the role, the database or the server'
    return failure(about, `${found}: a crash loses receipts`, 'synchronous_commit=on', todo)
  }
  if (names === '') return fine(about, `${found}: a failover may lose what a standby has not got`)
  if (commit === 'local') {
    const todo = 'set synchronous_commit=on for the role, or name no standby if that is meant'
    return warning(about, `${found}: no receipt waits for the standbys`, 'synchronous_commit=on or remote_apply', todo)
  }
  if (standbys === 0) {
    const todo = 'attach a standby, or name none'
    return failure(about, `${found}, and none is attached: every commit waits`, 'a standby that is attached', todo)
  }
  return fine(about, found)
}

function vacuumFinding(autovacuum: string, trackCounts: string): Finding {
  const found = `autovacuum=${autovacuum}, track_counts=${trackCounts}`
  if (autovacuum === 'on' && trackCounts === 'on') return fine('autovacuum', found)
  return failure(
    'autovacuum',
    `${found}: dead rows pile up, plans age, and in the end the server stops writing`,
    'both on',
    'set both on and reload the server',
  )
}

/** Zero is no limit. */
function timeoutFindings(role: string, idleMs: number, otherMs: number): Finding[] {
  const about = 'timeouts'
  const findings: Finding[] = []
  if (idleMs === 0) {
    findings.push(
      warning(
        about,
        'idle_in_transaction_session_timeout=0: a transaction that is forgotten holds its locks, and dead rows, for ever',
        'a limit longer than any step, like 10min',
        `alter role ${role} set idle_in_transaction_session_timeout = '10min'`,
      ),
    )
  } else if (idleMs < shortMs) {
    findings.push(
      warning(
        about,
        `idle_in_transaction_session_timeout=${idleMs} ms: it ends run.transaction while its function works`,
        `${shortMs} ms or more`,
        `alter role ${role} set idle_in_transaction_session_timeout = '10min'`,
      ),
    )
  }
  if (otherMs < shortMs) {
    findings.push(
      warning(
        about,
        `statement_timeout or transaction_timeout is ${otherMs} ms: it ends commits and run.transaction under load`,
        `none for this role, or ${shortMs} ms and more`,
        `alter role ${role} set statement_timeout = 0; the same of transaction_timeout`,
      ),
    )
  }
  return findings.length > 0 ? findings : [fine(about, `idle_in_transaction_session_timeout=${idleMs} ms`)]
}
