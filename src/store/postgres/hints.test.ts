import pg from 'pg'
import { afterAll, expect, inject, it, vi } from 'vitest'
import { acceptItem } from '../../../test/support/accept-item.ts'
import { nodeBeat } from '../../../test/support/node-beat.ts'
import { createEngine } from '../../engine/engine.ts'
import { handler } from '../../engine/handler.ts'
import { silentLog } from '../../kit/log.ts'
import { seededRandom, systemRandom } from '../../kit/random.ts'
import { FakeClock } from '../../testing/fake-clock.ts'
import type { OwnedCursor, Store, TailPage } from '../store.ts'
import { postgresStore } from './index.ts'

const url = inject('postgresUrl')
const random = systemRandom()
const admin = new pg.Pool({ connectionString: url, max: 4 })
const schemas: string[] = []

afterAll(async () => {
  for (const schema of schemas) await admin.query(`drop schema if exists ${schema} cascade`)
  await admin.end()
})

function newSchema(): string {
  const schema = `rest_${process.pid}_${schemas.length}`
  schemas.push(schema)
  return schema
}

const beat = nodeBeat({ node: 'one', group: 'pay', handlers: ['settle'] })

/** A node that has read all there is, on a clock of its own: only a test moves the timers of its hints. */
async function node() {
  const schema = newSchema()
  const clock = new FakeClock()
  const store = await postgresStore({ url, schema, clock, random, migrate: 'auto', shards: 4 })
  await store.register('pay', 'one', [{ name: 'settle', formerly: [], sources: ['*'], types: ['*'] }])
  const stop = store.onWork(() => {})
  let cursors: OwnedCursor[] = (await store.own(beat)).owned.map((owned) => ({ ...owned }))
  const read = async (): Promise<readonly TailPage[]> => {
    const pages = await store.tail({ cursors, limit: 100 })
    cursors = pages.map(({ group, shard, epoch, cursor, asked }) => ({ group, shard, epoch, cursor, asked }))
    return pages
  }
  await read()
  const close = async () => {
    stop()
    await store.close()
  }
  return { schema, clock, store, read, isQuiet: async () => (await store.own({ ...beat, cursors })).quiet, close }
}

it('calls a node quiet once its own notification came back, and not while anything is to be read (G5)', async () => {
  const { store, isQuiet, read, close } = await node()
  await expect.poll(isQuiet).toBe(true)
  // What commits after its page was read, with a number below the cursor.
  const client = await admin.connect()
  await client.query('begin')
  await store.acceptWithin?.(client, acceptItem({ shard: 2 }))
  // A later transaction ends before: the cursor goes past the open one.
  await isQuiet()
  await read()
  expect(await isQuiet()).toBe(true)
  await client.query('commit')
  client.release()
  expect(await isQuiet()).toBe(false)
  expect((await read()).map(({ events }) => events.length)).toEqual([0, 0, 1, 0])
  expect(await isQuiet()).toBe(true)
  await store.commit({ accept: [acceptItem({ shard: 0 })] })
  expect(await isQuiet()).toBe(false)
  await close()
})

it('calls no node quiet whose connection for hints is lost, until it is there again', async () => {
  const { schema, clock, isQuiet, close } = await node()
  await expect.poll(isQuiet).toBe(true)
  await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where query = 'listen "hapax_${schema}"'`)
  await expect.poll(isQuiet).toBe(false)
  await clock.advance('1s')
  await expect.poll(isQuiet).toBe(true)
  await close()
})

it('calls no node quiet whose notifications do not come back, as behind a pooler of transactions', async () => {
  const { clock, isQuiet, close } = await node()
  await expect.poll(isQuiet).toBe(true)
  // The connection stands, and hears nothing any more.
  const emit = pg.Client.prototype.emit
  const deaf = vi.spyOn(pg.Client.prototype, 'emit').mockImplementation(function (this: pg.Client, ...given) {
    return given[0] === 'notification' || emit.apply(this, given)
  })
  await clock.advance('34s')
  deaf.mockRestore()
  expect(await isQuiet()).toBe(false)
  // It is made anew.
  await clock.advance('1s')
  await expect.poll(isQuiet).toBe(true)
  await close()
})

/** Statements per second of a node with nothing to do, once it has been so for a while. */
async function idleCost(storeUrl: string, isHeard: boolean): Promise<number> {
  const query = vi.spyOn(pg.Client.prototype, 'query')
  let heard = 0
  const emit = pg.Client.prototype.emit
  const listening = vi.spyOn(pg.Client.prototype, 'emit').mockImplementation(function (this: pg.Client, ...given) {
    if (given[0] === 'notification') heard++
    return emit.apply(this, given)
  })
  const clock = new FakeClock()
  const open = new Set<Promise<unknown>>()
  const store = tracked(
    await postgresStore({ url: storeUrl, schema: newSchema(), clock, random, migrate: 'auto', shards: 64 }),
    open,
  )
  const engine = await createEngine({
    store,
    clock,
    random: seededRandom(1),
    log: silentLog,
    handlers: [handler('settle', { source: 'shop', on: '*' }, () => 'done')],
    sources: [],
  })
  const sent = () => query.mock.calls.filter(([text]) => textOf(text).includes('pg_notify')).length
  /** All that was asked is answered, and what was notified is heard, before time passes. */
  const answered = async () => {
    await clock.settle()
    while (open.size > 0) {
      await Promise.allSettled(open)
      await clock.settle()
    }
    if (isHeard) await vi.waitFor(() => expect(heard).toBeGreaterThanOrEqual(sent()), { interval: 1, timeout: 10_000 })
  }
  const pass = async (seconds: number) => {
    for (let step = 0; step < seconds * 20; step++) {
      await clock.advance(50)
      await answered()
    }
  }
  await engine.start()
  // The connection that listens, and its first notification.
  await vi.waitFor(() => expect(sent()).toBe(1), { timeout: 10_000 })
  // For a minute after a change of the registry, what no handler took is looked for.
  await pass(75)
  query.mockClear()
  heard = 0
  await pass(120)
  const perSecond = query.mock.calls.length / 120
  query.mockRestore()
  const stopped = engine.stop()
  while (open.size > 0) {
    await Promise.allSettled(open)
    await clock.advance(50)
  }
  await stopped
  listening.mockRestore()
  return perSecond
}

it('costs less than one statement a second at rest', async () => {
  const perSecond = await idleCost(url, true)
  expect(perSecond).toBeLessThan(0.9)
  expect(perSecond).toBeGreaterThan(0.5)
}, 60_000)

const pooler = inject('postgresServers').find(({ name }) => name.startsWith('PgBouncer'))

it.skipIf(pooler?.unavailable !== undefined)(
  'polls each second where nothing is heard, behind a pooler of transactions',
  async () => {
    const perSecond = await idleCost(pooler?.url ?? '', false)
    expect(perSecond).toBeLessThan(1.95)
    expect(perSecond).toBeGreaterThan(1.5)
  },
  60_000,
)

/** Of a statement given as text, or as a text with its name. */
function textOf(given: unknown): string {
  return typeof given === 'object' && given !== null && 'text' in given ? String(given.text) : String(given)
}

/** Notes which questions are not answered yet. */
function tracked(store: Store, open: Set<Promise<unknown>>): Store {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => {
        const answer: unknown = member.apply(target, args)
        if (answer instanceof Promise) {
          open.add(answer)
          const done = () => open.delete(answer)
          answer.then(done, done)
        }
        return answer
      }
    },
  })
}
