import pg from 'pg'
import { afterAll, expect, inject, it } from 'vitest'
import { acceptItem } from '../../../test/support/accept-item.ts'
import { nodeBeat } from '../../../test/support/node-beat.ts'
import { systemClock } from '../../kit/clock.ts'
import { systemRandom } from '../../kit/random.ts'
import type { NodeBeat, Owned } from '../store.ts'
import { postgresStore } from './index.ts'

const url = inject('postgresUrl')
const schema = `failover_${process.pid}`
const random = systemRandom()
const hand = new pg.Client({ connectionString: url })

afterAll(async () => {
  await hand.query(`drop schema if exists ${schema} cascade`)
  await hand.end()
})

it('what comes after a failover that lost commits is read, by the node that had read further (G5)', async () => {
  await hand.connect()
  const store = await postgresStore({ url, schema, clock: systemClock, random, migrate: 'auto', shards: 1 })
  try {
    await store.register('g', 'one', [{ name: 'h', formerly: [], sources: ['*'], types: ['*'] }])
    const owned = async (lowMarks: NodeBeat['lowMarks']): Promise<Owned> => {
      const [grant] = (await store.own(nodeBeat({ node: 'one', lowMarks }))).owned
      if (!grant) throw new Error('nothing is owned')
      return { group: grant.group, shard: grant.shard, epoch: grant.epoch }
    }
    const read = async (pair: Owned, cursor: number | undefined) => {
      const [page] = await store.tail({ cursors: [cursor === undefined ? pair : { ...pair, cursor }], limit: 100 })
      if (!page) throw new Error('no page')
      return { keys: page.events.map(({ event }) => event.key), cursor: page.cursor }
    }
    await hand.query(`update ${schema}.meta set first_xid = 1000000`)
    const before = await owned([])
    const lost = acceptItem()
    await store.commit({ accept: [lost] })
    const seen = await read(before, 0)
    expect(seen.keys).toEqual([lost.key])

    // What the standby that was promoted has: not that event, the numbers of the transactions before it, the timeline of before.
    for (const table of ['event', 'body', 'ledger']) await hand.query(`delete from ${schema}.${table}`)
    await hand.query(`update ${schema}.meta set first_xid = 990000, timeline = '00000000'`)
    const first = acceptItem()
    await store.commit({ accept: [first] })
    const after = await owned([{ ...before, position: seen.cursor + 1 }])
    expect(after.epoch).toBe(before.epoch + 1)
    const second = acceptItem()
    await store.commit({ accept: [second] })
    const takeover = await read(after, undefined)
    expect(takeover.keys).toEqual([first.key, second.key])
    expect(takeover.cursor).toBeGreaterThan(seen.cursor)
    const third = acceptItem()
    await store.commit({ accept: [third] })
    expect((await read(after, takeover.cursor)).keys).toEqual([third.key])
    expect((await owned([{ ...after, position: takeover.cursor + 1 }])).epoch).toBe(after.epoch)
  } finally {
    await store.close()
  }
})
