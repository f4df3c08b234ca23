import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { acceptItem } from '../../../test/support/accept-item.ts'
import { nodeBeat } from '../../../test/support/node-beat.ts'
import { systemClock } from '../../kit/clock.ts'
import { systemRandom } from '../../kit/random.ts'
import type { AcceptItem, Commit, Owned, SettleItem, Store } from '../store.ts'
import { postgresStore } from './index.ts'
import { itemTypeOids } from './item-types.ts'
import { commitParamCount, commitParams } from './params.ts'
import { Naming } from './schema.ts'

/** What a commit does while another transaction, held open by hand, is in its way. */
const url = inject('postgresUrl')
const schema = `commit_${process.pid}`
const naming = new Naming(schema)
const random = systemRandom()
const hand = new pg.Client({ connectionString: url })
const watch = new pg.Client({ connectionString: url })
let nowMs = 1_000_000
let store: Store

beforeAll(async () => {
  await Promise.all([hand.connect(), watch.connect()])
  store = await open(url)
  await store.register('g', 'one', [{ name: 'h', formerly: [], sources: ['*'], types: ['*'] }])
})

afterAll(async () => {
  await store.close()
  await watch.query(`drop schema if exists ${schema} cascade`)
  await Promise.all([hand.end(), watch.end()])
})

function open(where: string): Promise<Store> {
  return postgresStore({
    url: where,
    schema,
    clock: systemClock,
    random,
    migrate: 'auto',
    shards: 1,
    now: () => nowMs,
  })
}

const beat = (node: string) => nodeBeat({ node, leaseMs: 8_000 })

async function settleOf(one: AcceptItem, owned: Owned): Promise<SettleItem> {
  const event = await store.event(one.key)
  if (!event) throw new Error('not accepted')
  return {
    owned,
    run: { event: event.key, position: event.position, tag: 'tag' },
    handler: 'h',
    attemptedAt: nowMs,
    state: {
      generation: 1,
      turn: 1,
      attempt: 1,
      status: 'completed',
      reason: undefined,
      since: nowMs,
      dueAt: undefined,
      waitingFor: undefined,
      result: undefined,
      error: undefined,
      handlerVersion: undefined,
      openedAt: undefined,
      failures: 0,
      failuresInAll: 0,
      losses: 0,
      keySeries: 0,
      seenIntervention: 0,
      undoBegun: false,
    },
  }
}

/** A commit in a transaction that stays open. */
async function commitByHand(batch: Commit): Promise<void> {
  const { rows } = await hand.query(naming.sql(itemTypeOids))
  await hand.query('begin')
  const places = Array.from({ length: commitParamCount }, (_, index) => `$${index + 1}`)
  const params = commitParams(batch, nowMs, { careful: false, contended: false }, rows[0])
  await hand.query(naming.sql(`select * from :s.commit_2(${places.join(', ')})`), [...params])
}

/** Resolves once some statement of the server waits for a lock of this kind that the hand holds. */
function waitsFor(kind: 'advisory' | 'transactionid'): Promise<void> {
  return expect
    .poll(async () => {
      const { rows } = await watch.query<{ count: string }>(
        `select count(*) from pg_locks w join pg_locks h on h.granted and h.locktype = w.locktype
           and (h.transactionid = w.transactionid or (h.classid = w.classid and h.objid = w.objid))
         where not w.granted and w.locktype = $1 and h.pid = $2`,
        [kind, (await hand.query('select pg_backend_pid() as pid')).rows[0].pid],
      )
      return Number(rows[0]?.count)
    })
    .toBe(1)
}

it('holds up a takeover until it has committed, and is refused once another owns the pair (G6)', async () => {
  const [owned] = (await store.own(beat('one'))).owned
  if (!owned) throw new Error('nothing granted')
  const [first, second] = [acceptItem(), acceptItem()]
  await store.commit({ accept: [first, second] })
  await commitByHand({ settle: [await settleOf(first, owned)] })
  nowMs += 60_000
  const takeover = store.own(beat('two'))
  await waitsFor('advisory')
  await hand.query('commit')
  expect((await takeover).owned).toMatchObject([{ shard: 0, epoch: owned.epoch + 1 }])
  expect((await store.run(first.key, 'tag'))?.state?.status).toBe('completed')
  expect((await store.commit({ settle: [await settleOf(second, owned)] })).settle).toEqual(['stale'])
})

it('that meets an identity while another commits it is told of the duplicate, and its neighbours are accepted (G2)', async () => {
  const [original, again, neighbour] = [acceptItem(), acceptItem(), acceptItem()]
  await commitByHand({ accept: [original] })
  const answered = store.commit({ accept: [{ ...again, id: original.id }, neighbour] })
  await waitsFor('transactionid')
  await hand.query('commit')
  expect((await answered).accept).toMatchObject([
    { outcome: 'duplicate', original: original.key },
    { outcome: 'accepted' },
  ])
})

it('refuses to be fenced by an old snapshot, and says what to set', async () => {
  const strict = await open(`${url}?options=${encodeURIComponent('-c default_transaction_isolation=serializable')}`)
  try {
    const one = acceptItem()
    expect((await strict.commit({ accept: [one] })).accept).toMatchObject([{ outcome: 'accepted' }])
    const [owned] = (await store.own(beat('three'))).owned
    const settle = await settleOf(one, owned ?? { group: 'g', shard: 0, epoch: 1 })
    await expect(strict.commit({ settle: [settle] })).rejects.toThrow(
      /found serializable: alter role .* set default_transaction_isolation/,
    )
  } finally {
    await strict.close()
  }
})
