import pg from 'pg'
import type { Template } from './template.ts'

/**
 * Statements that multiply the templates: every column of a row is the template's, but for those that an event has of its own.
 * Their values are checked against the templates before anything is written.
 */
type Own = Readonly<Record<string, string>>

const blockBytes = 64

/** Of rows `n` with `at`, `key`, `identity`, `id`, `bytes` and `fingerprint`. */
const eventOwn: Own = {
  key: 'n.key',
  identity: 'n.identity',
  accepted_at: 'n.at',
  id: 'n.id',
  fingerprint: 'n.fingerprint',
}

/** Parameters: from, to, first time, ms between two, first of the span, events in all, waiting among them, first due. */
export async function chunkStatement(
  client: pg.Client,
  finished: Template,
  sleeping: Template,
  key: Buffer,
): Promise<string> {
  await checkMaking(client, finished, key)
  await checkMaking(client, sleeping, key)
  const later = (column: string) => `n.at + (t.${column} - e.accepted_at)`
  const settled: Own = { key: 'n.key', seq: 'f.first + $2 - $1 + n.i', at: later('at'), since: later('since') }
  const ended: Own = { ...settled, attempted_at: later('attempted_at') }
  const asleep = `replace(replace(t.rest, '${sleeping.dueAt}', n.due::text), '${sleeping.sleptAt}', n.at::text)`
  const insert = async (relation: string, own: Own, { key: template }: Template, where: string) => {
    const columns = await columnsOf(client, relation)
    const values = columns.map((column) => own[column] ?? `t."${column}"`)
    return `insert into hapax.${relation} (${columns.map((column) => `"${column}"`).join(', ')})
      select ${values.join(', ')} from n cross join f
      cross join (select * from hapax.event where key = '${template}') e
      cross join (select * from hapax.${relation} where key = '${template}') t
      where ${where} order by n.i`
  }
  const event: Own = { ...eventOwn, position: 'f.first + n.i', shard: 'n.shard' }
  const kinds = [
    { template: finished, where: 'not n.sleeps' },
    { template: sleeping, where: 'n.sleeps' },
  ] as const
  const parts: string[] = []
  for (const { template, where } of kinds) {
    parts.push(await insert('event', event, template, where))
    parts.push(await insert('body', { key: 'n.key', bytes: 'n.bytes' }, template, where))
  }
  parts.push(await insert('settlement', ended, finished, 'not n.sleeps'))
  parts.push(await insert('settlement', { ...ended, rest: asleep }, sleeping, 'n.sleeps'))
  const kept: Own = { key: 'n.key', seq: 'f.first + 2 * ($2 - $1) + n.i', at: later('at'), rest: asleep }
  parts.push(await insert('checkpoint', kept, sleeping, 'n.sleeps'))
  const standing: Own = {
    key: 'n.key',
    position: 'f.first + n.i',
    seq: 'f.first + $2 - $1 + n.i',
    shard: 'n.shard',
    due_at: 'n.due',
  }
  parts.push(await insert('standing', standing, sleeping, 'n.sleeps'))
  return `with given as (select $1::bigint, $2::bigint, $3::double precision, $4::double precision, $5::bigint, $6::bigint, $7::bigint,
      $8::bigint),
    f as materialized (select hapax.take_numbers_1((3 * ($2 - $1))::integer) as first),
    n as materialized (${numbered(finished, key, `'stored_' || i.n`, '$3 + floor((i.n - $5) * $4)')}),
    ${parts.map((part, index) => `p${index} as (${part})`).join(',\n')}
    select count(*) from n`
}

/** Identities whose events are gone. Parameters: from, to, first time, ms between two. */
export async function originStatement(client: pg.Client, finished: Template, key: Buffer): Promise<string> {
  await checkMaking(client, finished, key)
  const own: Own = { ...eventOwn, position: 'f.first + n.i' }
  const columns = await columnsOf(client, 'origin')
  return `with given as (select $1::bigint, $2::bigint, $3::double precision, $4::double precision),
    f as materialized (select hapax.take_numbers_1(($2 - $1)::integer) as first),
    n as materialized (${numbered(finished, key, `'remembered_' || i.n`, '$3 + floor(i.n * $4)', false)})
    insert into hapax.origin (${columns.join(', ')})
    select ${columns.map((column) => own[column] ?? `t.${column}`).join(', ')}
    from n cross join f cross join (select * from hapax.event where key = '${finished.key}') t order by n.i`
}

/** Whether it sleeps, and until when, is asked of events alone. */
function numbered({ bodyParts }: Template, key: Buffer, id: string, at: string, maySleep = true): string {
  const sleeps = `i.n * $7 % $6 < $7`
  // The keys of one millisecond are of many shards, sixteen of each in a row.
  const shard = `(i.n / 16 % (select shards from hapax.meta))::integer`
  return `
    select o.*, ${fingerprintOf('o.bytes', key)} as fingerprint from (
      select i.n, i.n - $1 as i, a.at, s.shard, d.id, ${identityOf('d.id')} as identity,
        (lpad(to_hex(a.at::bigint), 12, '0') || lpad(to_hex(s.shard), 4, '0') || substr(md5(d.id), 1, 16))::uuid as key,
        ${bodyOf(bodyParts, 'd.id')} as bytes${maySleep ? `, ${sleeps} as sleeps, $8 + i.n % 1000 * 1000000 as due` : ''}
      from generate_series($1, $2 - 1) i(n), lateral (select ${id} as id) d, lateral (select (${at})::double precision as at) a,
        lateral (select ${shard} as shard) s) o`
}

function bodyOf(parts: readonly string[], id: string): string {
  return `convert_to(${parts.map((part) => pg.escapeLiteral(part)).join(` || ${id} || `)}, 'UTF8')`
}

/** HMAC-SHA256 (RFC 2104) as base64url, by the server's own SHA-256. */
function fingerprintOf(bytes: string, key: Buffer): string {
  const padded = (byte: number) => {
    const block = Uint8Array.from({ length: blockBytes }, (_zero, index) => (key[index] ?? 0) ^ byte)
    return `'\\x${Buffer.from(block).toString('hex')}'::bytea`
  }
  const digest = `sha256(${padded(0x5c)} || sha256(${padded(0x36)} || ${bytes}))`
  return `rtrim(translate(encode(${digest}, 'base64'), '+/', '-_'), '=')`
}

function identityOf(id: string): string {
  return `encode(substr(sha256(convert_to('7:default6:stripe' || ${id}, 'UTF8')), 1, 16), 'hex')::uuid`
}

/** @throws where the product makes an event's values in another way than these statements do */
async function checkMaking(client: pg.Client, template: Template, key: Buffer): Promise<void> {
  const { rows } = await client.query<{ differs: string }>(
    `select concat_ws(', ', case when e.identity <> ${identityOf('e.id')} then 'identity' end,
        case when e.fingerprint <> ${fingerprintOf('b.bytes', key)} then 'fingerprint' end,
        case when b.bytes <> ${bodyOf(template.bodyParts, 'e.id')} then 'body' end) as differs
     from hapax.event e join hapax.body b using (key) where e.key = $1`,
    [template.key],
  )
  if (rows[0]?.differs !== '') {
    throw new TypeError(
      `The set is made in another way than the product makes it: ${rows[0]?.differs ?? 'no template'}.`,
    )
  }
}

async function columnsOf(client: pg.Client, relation: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select attname as name from pg_attribute where attrelid = to_regclass('hapax.' || $1) and attnum > 0 and not attisdropped
     order by attnum`,
    [relation],
  )
  return rows.map(({ name }) => name)
}
