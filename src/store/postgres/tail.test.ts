import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { acceptItem } from '../../../test/support/accept-item.ts'
import { HapaxError } from '../../errors/hapax-error.ts'
import { systemClock } from '../../kit/clock.ts'
import { silentLog } from '../../kit/log.ts'
import { systemRandom } from '../../kit/random.ts'
import type { Row } from '../sql/rows.ts'
import type { Owned, Store } from '../store.ts'
import { Connections, poolConfig } from './connection.ts'
import { postgresStore } from './index.ts'
import { LateFingerprints } from './late-fingerprint.ts'
import type { Param } from './params.ts'
import { Reads } from './read.ts'
import { Registers } from './registry.ts'
import { Naming } from './schema.ts'
import { Tails } from './tail.ts'

const url = inject('postgresUrl')
const schema = `tail_${process.pid}`
const naming = new Naming(schema)
const random = systemRandom()
const hand = new pg.Client({ connectionString: url })
let store: Store
let owned: Owned

beforeAll(async () => {
  await hand.connect()
  store = await postgresStore({ url, schema, clock: systemClock, random, migrate: 'auto', shards: 1 })
  await store.register('g', 'one', [{ name: 'h', formerly: [], sources: ['*'], types: ['*'] }])
  const beat = { node: 'one', group: 'g', owns: true, handlers: ['h'], leaseMs: 600_000, release: [], lowMarks: [] }
  const [grant] = (await store.own(beat)).owned
  if (!grant) throw new Error('nothing granted')
  owned = { group: grant.group, shard: grant.shard, epoch: grant.epoch }
})

afterAll(async () => {
  await store.close()
  await hand.query(`drop schema if exists ${schema} cascade`)
  await hand.end()
})

/** Connections of which so many statements go well, and the next breaks. */
class Breaking extends Connections {
  left = Number.POSITIVE_INFINITY

  override async rows(text: string, values?: readonly Param[], replyMs?: number): Promise<Row[]> {
    if (this.left-- === 0) throw new HapaxError('store_unavailable', { reason: 'connection lost' })
    return super.rows(text, values, replyMs)
  }
}

it('gives what committed late also where a page before broke off, after whichever of its statements (G5)', async () => {
  const connections = new Breaking(new pg.Pool(poolConfig(url, 4)), silentLog)
  const now = () => null
  const late = new LateFingerprints(connections, naming)
  const registers = new Registers(connections, naming, now)
  const tails = new Tails(connections, naming, new Reads(connections, naming, late), registers)
  let cursor = 0
  const read = async () => {
    const [page] = await tails.tail({ cursors: [{ ...owned, cursor }], limit: 100 })
    if (!page) throw new Error('no page')
    cursor = page.cursor
    return page.events.map(({ event }) => event.key)
  }
  try {
    await read()
    for (let statements = 0; ; statements++) {
      const [late, early] = [acceptItem(), acceptItem()]
      await hand.query('begin')
      await store.acceptWithin?.(hand, late)
      await store.commit({ accept: [early] })
      expect(await read()).toEqual([early.key])
      await hand.query('commit')
      connections.left = statements
      const broken = await read().then(
        () => false,
        () => true,
      )
      connections.left = Number.POSITIVE_INFINITY
      if (!broken) {
        expect(statements).toBeGreaterThan(1)
        return
      }
      expect(await read()).toEqual([late.key])
    }
  } finally {
    await connections.close()
  }
})
