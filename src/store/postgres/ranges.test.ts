import pg from 'pg'
import { afterAll, type ExpectStatic, expect, inject, it } from 'vitest'
import type { EventRecord } from '../../event/event.ts'
import { mintEventKey } from '../../event/event-key.ts'
import type { LogFields } from '../../kit/log.ts'
import { seededRandom } from '../../kit/random.ts'
import { FakeClock } from '../../testing/fake-clock.ts'
import type { ContractWorld } from '../../testing/store-contract/index.ts'
import { defined, Scene, step } from '../../testing/store-contract/scene.ts'
import type { AcceptItem, PurgeRequest, Store } from '../store.ts'
import { postgresStore } from './index.ts'
import { keyUuid } from './key-bytes.ts'
import { rangedRelations } from './range-functions.ts'

const url = inject('postgresUrl')
const admin = new pg.Pool({ connectionString: url, max: 6 })
const dayMs = 86_400_000
let worlds = 0

afterAll(() => admin.end())

/** A schema with ranges of a day, and its time; begins at a midnight. */
class World implements ContractWorld {
  readonly shards = 4
  readonly leaseMs = 1_000_000_000
  readonly rangeMs = dayMs
  readonly seed = 1
  readonly clock = new FakeClock(20_416 * dayMs)
  readonly schema = `ranges_${process.pid}_${++worlds}`
  readonly warned: { readonly text: string; readonly fields: LogFields | undefined }[] = []
  readonly #random = seededRandom(worlds)
  readonly #stores: Store[] = []

  async open(at = url): Promise<Store> {
    const quiet = () => {}
    const store = await postgresStore({
      url: at,
      schema: this.schema,
      clock: this.clock,
      random: this.#random,
      log: { debug: quiet, info: quiet, error: quiet, warn: (text, fields) => this.warned.push({ text, fields }) },
      now: () => this.clock.now(),
      shards: this.shards,
      rangeMs: this.rangeMs,
      migrate: at === url ? 'auto' : 'check',
    })
    this.#stores.push(store)
    return store
  }

  async restart(): Promise<Store> {
    await Promise.all(this.#stores.splice(0).map((store) => store.close()))
    return this.open()
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms)
  }

  async sql<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await admin.query<Row>(text.replaceAll(':s', this.schema), values)).rows
  }

  /** Which of a relation's partitions hold how many rows. */
  async held(relation: string): Promise<Record<string, number>> {
    const rows = await this.sql<{ name: string; count: string }>(
      `select tableoid::regclass::text as name, count(*) from :s.${relation} group by 1`,
    )
    return Object.fromEntries(rows.map(({ name, count }) => [name.replace(`${this.schema}.`, ''), Number(count)]))
  }

  async ranges(relation: string): Promise<string[]> {
    const rows = await this.sql<{ name: string }>(
      `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
       where i.inhparent = ':s.${relation}'::regclass order by 1`,
    )
    return rows.map(({ name }) => name)
  }

  key(at = this.clock.now()): string {
    return mintEventKey(at, 0, this.#random)
  }

  async end(): Promise<void> {
    await Promise.all(this.#stores.splice(0).map((store) => store.close()))
    await this.sql('drop schema if exists :s cascade')
  }
}

function ranged(name: string, test: (scene: Scene, world: World, local: ExpectStatic) => Promise<void>): void {
  it.concurrent(name, async ({ expect: local }) => {
    const world = new World()
    try {
      await test(await Scene.open(world), world, local)
    } finally {
      await world.end()
    }
  })
}

async function accept(scene: Scene, world: World, over: Partial<AcceptItem> = {}): Promise<EventRecord> {
  return scene.accept({ key: world.key(), ...over })
}

/**
 * Sweeps as nodes do, until nothing more goes. Tests run beside each other on one server: what a range kept since another's
 * transaction was open goes by row.
 */
async function sweep(store: Store, request: Partial<PurgeRequest>): Promise<void> {
  for (let goes = true; goes; ) {
    const asked = { payloadsBefore: 0, journalBefore: 0, identitiesBefore: 0, rows: 100, ...request }
    const { payloads, events, identities, more } = await store.purge(asked)
    goes = more === true || payloads + events + identities > 0
  }
}

ranged('are made ahead as time passes, by nodes that sweep at once', async (scene, world) => {
  const other = await world.open()
  for (let day = 0; day < 5; day++) {
    await accept(scene, world)
    await Promise.all([sweep(scene.store, {}), sweep(other, {})])
    await world.advance(dayMs)
  }
  for (const relation of rangedRelations) {
    const days = ['1124', '1125', '1126', '1127', '1128', '1129', '1130']
    expect(await world.ranges(relation)).toEqual([
      ...days.map((one) => `${relation}_2025${one}`),
      `${relation}_default`,
    ])
  }
  expect(await world.held('event')).not.toHaveProperty('event_default')
  expect(world.warned).toEqual([])
})

ranged(
  'are alerted to where nobody made them in time; what came meanwhile is kept beside them',
  async (scene, world) => {
    await world.advance(5 * dayMs)
    const late = await accept(scene, world)
    expect(await world.held('event')).toEqual({ event_default: 1 })
    await sweep(scene.store, {})
    expect(world.warned.map(({ text }) => text)).toContainEqual(
      expect.stringContaining('beside the ranges of their time'),
    )
    await world.advance(dayMs)
    const next = await accept(scene, world)
    expect(await world.held('event')).toEqual({ event_default: 1, event_20251130: 1 })
    await scene.settle(scene.settlement(late))
    expect((await scene.record(late)).state?.status).toBe('completed')
    await sweep(scene.store, { journalBefore: late.acceptedAt + 1 })
    expect(await scene.store.event(late.key)).toBeUndefined()
    expect(await scene.store.event(next.key)).toBeDefined()
  },
)

ranged(
  'take no part in what a clock far off mints: it is accepted, run and dropped as any other',
  async (scene, world) => {
    const [past, future] = [
      await accept(scene, world, { key: world.key(1) }),
      await accept(scene, world, { key: world.key(4e12) }),
    ]
    expect(await world.held('event')).toEqual({ event_default: 2 })
    for (const event of [past, future]) {
      expect((await scene.checkpoint(scene.result(event, 'one'))).outcome).toBe('written')
      expect(await scene.settle(scene.settlement(event))).toBe('settled')
      expect(await scene.store.history(event.key)).toHaveLength(3)
    }
    await sweep(scene.store, { payloadsBefore: past.acceptedAt + 1, journalBefore: past.acceptedAt + 1 })
    for (const event of [past, future]) expect(await scene.store.event(event.key)).toBeUndefined()
  },
)

ranged(
  'are dropped without what is unfinished or dead, whose records stay, and duplicates stay duplicates',
  async (scene, world) => {
    const item = scene.item({ key: world.key() })
    await scene.tryAccept(item)
    const ended = defined(await scene.store.event(item.key))
    const dead = await accept(scene, world)
    const unfinished = await accept(scene, world)
    await scene.settle(scene.settlement(ended))
    await scene.checkpoint(scene.result(dead, 'one'))
    await scene.settle(scene.settlement(dead, { status: 'dead' }))
    await scene.begin(scene.begun(unfinished))
    await scene.checkpoint(scene.result(unfinished, 'one'))
    const histories = await Promise.all([dead, unfinished].map(({ key }) => scene.store.history(key)))
    await world.advance(3 * dayMs)
    const journalBefore = 20_417 * dayMs
    expect(await scene.store.purge({ payloadsBefore: 0, identitiesBefore: 0, rows: 100, journalBefore })).toMatchObject(
      { events: 1 },
    )

    for (const relation of rangedRelations) expect(await world.ranges(relation)).not.toContain(`${relation}_20251124`)
    expect(await world.held('settlement')).toEqual({ settlement_default: 1 })
    expect(await world.held('body')).toEqual({ body_default: 2 })
    expect(await scene.store.event(ended.key)).toBeUndefined()
    expect(await Promise.all([dead, unfinished].map(({ key }) => scene.store.event(key)))).toEqual([dead, unfinished])
    expect(await Promise.all([dead, unfinished].map(({ key }) => scene.store.history(key)))).toEqual(histories)

    // Write-once holds where they are now, a takeover finds what is unfinished, and what is dead can be redriven.
    expect((await scene.checkpoint(scene.result(unfinished, 'one', { attempt: 2 }))).outcome).toBe('refused')
    const page = await scene.tail(scene.owned(0))
    expect(page.events.map(({ event }) => event.key)).toEqual([unfinished.key])
    expect(await scene.settle(scene.settlement(dead, { generation: 2 }))).toBe('settled')
    const answer = await scene.tryAccept(scene.again(item, { key: world.key() }))
    expect(answer).toEqual({ outcome: 'duplicate', original: ended.key, acceptedAt: ended.acceptedAt })

    await scene.settle(scene.settlement(unfinished))
    await sweep(scene.store, { journalBefore })
    expect(await scene.store.event(unfinished.key)).toBeUndefined()
    expect(await world.held('checkpoint')).toEqual({})
    await sweep(scene.store, { journalBefore, identitiesBefore: journalBefore })
    expect((await scene.tryAccept(scene.again(item, { key: world.key() }))).outcome).toBe('accepted')
  },
)

ranged('of bodies go by a retention of their own', async (scene, world) => {
  const ended = await accept(scene, world)
  const unfinished = await accept(scene, world)
  await scene.settle(scene.settlement(ended))
  await world.advance(3 * dayMs)
  await sweep(scene.store, { payloadsBefore: 20_417 * dayMs })
  expect(await world.ranges('body')).not.toContain('body_20251124')
  expect(await world.ranges('event')).toContain('event_20251124')
  expect((await scene.store.event(ended.key))?.body).toBeUndefined()
  expect(await scene.store.event(unfinished.key)).toEqual(unfinished)
  expect(await scene.store.history(ended.key)).toHaveLength(2)
})

ranged('wait for no long reader: accepts go on, and the drop is tried again', async (scene, world) => {
  await scene.settle(scene.settlement(await accept(scene, world)))
  await world.advance(3 * dayMs)
  const journalBefore = 20_417 * dayMs
  const reader = await admin.connect()
  try {
    await reader.query('begin')
    await reader.query(`select count(*) from ${world.schema}.event`)
    const began = performance.now()
    const swept = sweep(scene.store, { journalBefore })
    await accept(scene, world)
    await swept
    // Some sixty statements, of which one waits 100 ms at most: a wait for the reader would have no end.
    expect(performance.now() - began).toBeLessThan(10_000)
    expect(await world.ranges('event')).toContain('event_20251124')
  } finally {
    await reader.query('rollback')
    reader.release()
  }
  await sweep(scene.store, { journalBefore })
  expect(await world.ranges('event')).not.toContain('event_20251124')
})

ranged('keep what is accepted into them while they are looked through', async (scene, world) => {
  await scene.settle(scene.settlement(await accept(scene, world)))
  const old = world.key()
  await world.advance(3 * dayMs)
  const journalBefore = 20_417 * dayMs
  const [within, reader] = [await admin.connect(), await admin.connect()]
  try {
    // One that is open before the look begins and commits after it, and one that comes after it.
    await within.query('begin')
    const store = scene.store
    const item = scene.item({ key: old })
    expect(await store.acceptWithin?.(within, item)).toEqual({ outcome: 'pending' })
    await sweep(store, { journalBefore })
    expect(await world.sql('select is_through from :s.range_scan')).toEqual([{ is_through: true }])
    await within.query('commit')
    await reader.query('begin')
    await reader.query(`select count(*) from ${world.schema}.event`)
    const later = await accept(scene, world, { key: world.key(20_416 * dayMs + 5) })
    await sweep(store, { journalBefore })
    await reader.query('commit')
    await sweep(store, { journalBefore })
    expect(await world.ranges('event')).not.toContain('event_20251124')
    expect(await store.event(old)).toMatchObject({ key: old, id: item.id })
    expect(await store.event(later.key)).toEqual(later)
  } finally {
    within.release(true)
    reader.release(true)
  }
})

ranged('are looked through and dropped by whoever comes, from where another died', async (scene, world) => {
  const events: EventRecord[] = []
  for (let count = 0; count < 20; count++) events.push(await accept(scene, world))
  for (const event of events.slice(1)) await scene.settle(scene.settlement(event))
  await world.advance(3 * dayMs)
  const request = { payloadsBefore: 0, journalBefore: 20_417 * dayMs, identitiesBefore: 0, rows: 1 }
  expect((await scene.store.purge(request)).more).toBe(true)
  const [scan] = await world.sql<{ after: string }>('select after from :s.range_scan')
  scene.store = await world.restart()
  await scene.store.purge(request)
  const [later] = await world.sql<{ after: string }>('select after from :s.range_scan')
  expect(later && scan && later.after > scan.after).toBe(true)

  // As if the node died after the events had gone, and before their other records had.
  await sweep(scene.store, { payloadsBefore: 0, journalBefore: 20_417 * dayMs, rows: 1 })
  expect(await world.held('event')).toEqual({ event_default: 1 })
  expect(await world.held('settlement')).toEqual({})
  const [first] = events
  expect(await scene.store.event(first?.key ?? '')).toEqual(first)
})

ranged('that lost their events go, when the node that dropped those died before the rest', async (scene, world) => {
  const ended = await accept(scene, world)
  const dead = await accept(scene, world)
  await scene.settle(scene.settlement(ended))
  await scene.settle(scene.settlement(dead, { status: 'dead' }))
  await world.advance(3 * dayMs)
  const low = 20_416 * dayMs
  await world.sql('select :s.range_scan_1($1, $2, $3)', ['event', low, low + dayMs])
  const after = `${keyUuid(dead.key).slice(0, 13)}-ffff-ffff-ffffffffffff`
  const [{ from } = { from: '' }] = await world.sql<{ from: string }>('select after::text as from from :s.range_scan')
  await world.sql('select :s.range_judged_1($1, $2, $3, $4, true, $5, $6)', [
    'event',
    low,
    from,
    after,
    [keyUuid(dead.key)],
    [keyUuid(ended.key)],
  ])
  const dropped = await world.sql('select * from :s.drop_range_1(null, $1, $2, 100, 1000)', ['event', low])
  expect(dropped).toMatchObject([{ outcome: 'dropped' }])
  expect(Object.keys(await world.held('settlement'))).toEqual(['settlement_20251124'])
  expect(await scene.store.event(dead.key)).toEqual(dead)

  await sweep(scene.store, { journalBefore: low + dayMs })
  expect(await world.held('settlement')).toEqual({ settlement_default: 1 })
  expect(await world.held('body')).toEqual({ body_default: 1 })
  expect(await scene.store.event(dead.key)).toEqual(dead)
})

ranged('stay whole where too much of them is unfinished or dead, and stand in no other’s way', async (scene, world) => {
  const first = await accept(scene, world)
  await world.advance(dayMs)
  await sweep(scene.store, {})
  const second = await accept(scene, world)
  await scene.settle(scene.settlement(second))
  await world.advance(3 * dayMs)
  // As a node does that has met more than it moves at once.
  await world.sql('update :s.journal_range set tried_at = $1 where low_at = $2', [world.clock.now(), 20_416 * dayMs])
  await sweep(scene.store, { journalBefore: 20_418 * dayMs })
  expect(await world.ranges('event')).toContain('event_20251124')
  expect(await world.ranges('event')).not.toContain('event_20251125')
  await world.advance(3_600_001)
  await sweep(scene.store, { journalBefore: 20_418 * dayMs })
  expect(await world.ranges('event')).not.toContain('event_20251124')
  expect(await scene.store.event(first.key)).toEqual(first)
})

ranged('are made and dropped by a role that only serves', async (scene, world) => {
  await scene.settle(scene.settlement(await accept(scene, world)))
  await world.sql(`create role :s_role login; grant usage on schema :s to :s_role;
    grant select, insert, update, delete on all tables in schema :s to :s_role;
    grant execute on all functions in schema :s to :s_role`)
  const serving = new URL(url)
  serving.username = `${world.schema}_role`
  await world.advance(3 * dayMs)
  await sweep(await world.open(serving.href), { journalBefore: 20_417 * dayMs })
  expect(await world.ranges('event')).toEqual([
    'event_20251125',
    'event_20251126',
    'event_20251127',
    'event_20251128',
    'event_20251129',
    'event_default',
  ])
  await scene.store.close()
  await world.sql('drop owned by :s_role; drop role :s_role')
})

ranged('hold write-once across midnight', async (scene, world) => {
  const event = await accept(scene, world)
  await world.advance(dayMs)
  expect((await scene.checkpoint(scene.result(event, 'one'))).outcome).toBe('written')
  expect((await scene.checkpoint(scene.result(event, 'one', { attempt: 2 }))).outcome).toBe('refused')
  expect(await scene.settle(scene.settlement(event))).toBe('settled')
  expect(await scene.settle(scene.settlement(event, { status: 'dead', attempt: 2 }))).toBe('finished')
  expect(await world.held('settlement')).toEqual({ settlement_20251124: 1 })
  const [kept] = (await scene.record(event)).checkpoints
  expect(kept).toMatchObject({ attempt: 1, step: step('one') })
})

ranged(
  'are read by index alone, by statements whose plans stale statistics do not change',
  async (scene, world, local) => {
    // Statistics of nearly empty tables, as the first minute of a range leaves them; and then its rows.
    await scene.settle(scene.settlement(await accept(scene, world)))
    await world.sql('analyze :s.event, :s.settlement, :s.body')
    const filler = await admin.connect()
    const fill = (text: string) => filler.query(text.replaceAll(':s', world.schema))
    await fill(`insert into :s.event
    select (lpad(to_hex(${world.clock.now()} + n), 12, '0') || substr(md5(n::text), 1, 20))::uuid,
      n, n % 4, 1, 1, 0, 0, null, md5(n::text)::uuid, null, 'default', 'shop', n::text, 'order.paid', 'f', 'c', null, null, null
    from generate_series(1, 20000) n`)
    await fill(`insert into :s.settlement select e.key, e.position, 1, 0, 0, null, 1, 1, 1, 1, '${scene.tag}', 'pay', 'settle',
      null, null, null from :s.event e on conflict do nothing`)
    await fill("insert into :s.body select key, '{}' from :s.event on conflict do nothing")
    await fill('select pg_stat_force_next_flush()')
    filler.release(true)
    const counted = async (column: string) => {
      const rows = await world.sql<{ count: string }>(
        `select sum(${column}) as count from pg_stat_user_tables where schemaname = ':s' and relname ~ '_20251124$'`,
      )
      return Number(rows[0]?.count)
    }
    // Counts come late: from the filler's statements, then from those that are held to it.
    await local.poll(() => counted('n_tup_ins')).toBeGreaterThan(60_000)
    scene.store = await world.restart()
    const [read, written] = [await counted('seq_tup_read'), await counted('n_tup_ins')]
    await scene.store.register('pay', 'one', [{ name: 'settle', formerly: [], sources: ['shop'], types: ['*'] }])
    await scene.beat('one')
    const events: EventRecord[] = []
    for (let count = 0; count < 3; count++) events.push(await accept(scene, world))
    for (const event of events) {
      await scene.begin(scene.begun(event))
      await scene.checkpoint(scene.result(event, 'one'))
      await scene.settle(scene.settlement(event, { status: 'scheduled', dueAt: 7 }))
      await scene.settle(scene.settlement(event, { turn: 2 }))
      await scene.store.history(event.key)
      await scene.intervene(scene.ask(event))
    }
    await scene.tail(scene.owned(0))
    const { cursor } = await scene.tail({ ...scene.owned(1), cursor: 0 })
    await scene.tail({ ...scene.owned(1), cursor })
    await scene.store.due([scene.owned(0)], world.clock.now(), 10)
    await scene.store.searchEvents({ limit: 10 })
    await scene.store.searchRuns({ limit: 10 })
    await world.restart()
    await local.poll(() => counted('n_tup_ins')).toBeGreaterThanOrEqual(written + 18)
    expect((await counted('seq_tup_read')) - read).toBeLessThan(1_000)
  },
)
