import pg from 'pg'
import { createHapax } from '../../src/index.ts'
import { chunkStatement, originStatement } from './statements.ts'
import { templatesOf } from './template.ts'

/** How much a set holds. */
export interface Sizes {
  readonly finished: number
  /** Runs that sleep, due in weeks, among the finished in time. */
  readonly waiting: number
  /** Remembered in all: of those events, and of others whose history is gone. */
  readonly identities: number
}

const dayMs = 86_400_000
const relations = ['event', 'body', 'settlement', 'checkpoint', 'begin_record', 'repeat']

/** A transaction numbers 8,191 records at most: of a chunk of events a settlement each, and of those that sleep a checkpoint. */
const chunkEvents = 2_500
const chunkIdentities = 8_000

/** As many as the store puts into a generation before it opens the next. */
const generationIdentities = 2_000_000

/** So many sessions write at once, one chunk after the other: the processors of a small machine. */
const writers = 2

/** One event in so many is old, the others are of three weeks: runs that wait for a month lie where nothing else is left. */
const oneOldIn = 1_000

/**
 * Fills an empty database with what an engine would have left there after weeks, by statements of the server alone, in
 * transactions whose numbers are their own. Nothing of it is analysed: statistics are those of a store that was nearly empty.
 */
export async function fill(url: string, sizes: Sizes, progress: (text: string) => void): Promise<void> {
  const client = await connected(url)
  try {
    const now = Date.now()
    await rangesOf(url, client, now)
    const { finished, sleeping } = await templatesOf(url, client)
    await client.query('analyze')
    const { rows } = await client.query<{ value: Buffer }>(
      `select value from hapax.secret where name = 'fingerprint/default/1'`,
    )
    const key = rows[0]?.value ?? Buffer.alloc(0)
    const events = sizes.finished + sizes.waiting
    const old = Math.ceil(events / oneOldIn)
    const origins = Math.max(0, sizes.identities - events)
    const originSql = await originStatement(client, finished, key)
    const remembered = (from: number, to: number) => [from, to, now - 80 * dayMs, (45 * dayMs) / Math.max(1, origins)]
    await inChunks(url, 'remembered identities', origins, chunkIdentities, progress, (writer, from, to) =>
      writer.query({ name: 'origins', text: originSql, values: remembered(from, to) }),
    )
    const chunkSql = await chunkStatement(client, finished, sleeping, key)
    const values = (from: number, to: number) => {
      const isOld = from < old
      const [first, spanMs, count] = isOld ? [0, 2 * dayMs, old] : [old, 21 * dayMs - 3_600_000, events - old]
      const startMs = isOld ? now - 30 * dayMs : now - 21 * dayMs
      return [from, to, startMs, spanMs / count, first, events, sizes.waiting, now + 30 * dayMs]
    }
    const write = (writer: pg.Client, from: number, to: number) =>
      writer.query({ name: 'chunk', text: chunkSql, values: values(from, to) })
    await inChunks(url, 'old events', old, chunkEvents, progress, write)
    await inChunks(url, 'events', events - old, chunkEvents, progress, (writer, from, to) =>
      write(writer, old + from, old + to),
    )
    await fillLedger(client, progress)
    await passMarks(client)
    progress('vacuum')
    await client.query('vacuum (freeze, parallel 2)')
    // Autovacuum would analyse all of it in the next minute, in the middle of what is measured.
    await client.query('select pg_stat_reset()')
    await client.query('checkpoint')
  } finally {
    await client.end()
  }
}

/**
 * Every identity of an event, or of one whose history is gone, in generations as large as the store's own, which open, seal
 * and filter them; the last is half full, as it is on average. In their order: at random they would be written all over.
 */
async function fillLedger(client: pg.Client, progress: (text: string) => void): Promise<void> {
  const all = '(select identity, key from hapax.event union all select identity, key from hapax.origin)'
  const { rows } = await client.query<{ count: string }>(`select count(*) from ${all} l`)
  const halves = Number(rows[0]?.count) / (generationIdentities / 2)
  const generations = Math.min(128, Math.ceil((halves + 1) / 2))
  for (let number = 1; number <= generations; number++) {
    progress(`the ledger: generation ${number} of ${generations}`)
    if (number > 1) await openGeneration(client, number)
    // What came in one time is of all parts of the keys; those of the two events that the product made are there.
    await client.query(
      `insert into hapax.ledger (identity, key, generation)
      select identity, key, $1 from ${all} l where get_byte(uuid_send(identity), 15) * ($2 * 2 - 1) / 256 / 2 = $1 - 1
      order by identity on conflict do nothing`,
      [number, generations],
    )
  }
}

/** And seals the one before it, with its filter. */
async function openGeneration(client: pg.Client, number: number): Promise<void> {
  const before = number - 1
  await client.query('select hapax.make_generation_1($1, 10000)', [before])
  await client.query('select hapax.open_generation_1($1, $2)', [Date.now(), before])
  await client.query('select hapax.mark_generation_1()')
  await client.query('select hapax.seal_generation_1($1)', [Date.now()])
  const page = 'select hapax.filter_generation_1($1, 20000) as is_whole'
  while ((await client.query(page, [before])).rows[0]?.is_whole !== true);
}

/** Ranges of a store that has been there for weeks: the ones that a migration makes begin today. */
async function rangesOf(url: string, client: pg.Client, now: number): Promise<void> {
  const made = await createHapax({ store: url, migrate: 'auto' })
  await made.stop()
  const { rows } = await client.query<{ name: string; width: string }>(
    'select name, high_at - low_at as width from hapax.journal_range',
  )
  const width = Number(rows[0]?.width)
  for (const { name } of rows) await client.query(`drop table hapax.${name}`)
  await client.query('delete from hapax.journal_range')
  for (let at = now - 31 * dayMs; at < now + width; at += width) {
    for (const relation of relations) {
      await client.query('select hapax.make_ranges_1($1, $2, $3, 10000)', [Math.min(at, now), relation, width])
    }
  }
}

/** All of it is settled or stands: the marks are where an owner that has read it leaves them. */
async function passMarks(client: pg.Client): Promise<void> {
  await client.query(`update hapax.pair set low_mark =
    (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + (select first_xid from hapax.meta)) * 8192`)
}

/** By several sessions, each the next chunk when it has written one. */
async function inChunks(
  url: string,
  what: string,
  count: number,
  size: number,
  progress: (text: string) => void,
  write: (writer: pg.Client, from: number, to: number) => Promise<unknown>,
): Promise<void> {
  let next = 0
  let told = 0
  const began = performance.now()
  const writing = async () => {
    const writer = await connected(url)
    try {
      while (next < count) {
        const from = next
        const to = Math.min(count, from + size)
        next = to
        await write(writer, from, to)
        if (next - told >= count / 10) {
          told = next
          const seconds = (performance.now() - began) / 1_000
          progress(`${what}: ${next.toLocaleString('en')} of ${count.toLocaleString('en')}, ${seconds.toFixed(0)} s`)
        }
      }
    } finally {
      await writer.end()
    }
  }
  await Promise.all(Array.from({ length: writers }, writing))
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`set jit = off; set work_mem = '512MB'`)
  return client
}
