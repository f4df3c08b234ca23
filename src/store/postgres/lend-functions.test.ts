import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { random } from '../../../test/support/postgres-work.ts'
import { systemClock } from '../../kit/clock.ts'
import { seededRandom } from '../../kit/random.ts'
import { type LentShare, type LimitClaim, lend } from '../shared-limits.ts'
import type { NodeBeat, Store } from '../store.ts'
import { postgresStore } from './index.ts'

const seed = 1
const url = inject('postgresUrl')
const schema = `lending_${process.pid}`
const hand = new pg.Client({ connectionString: url })
let store: Store

beforeAll(async () => {
  await hand.connect()
  store = await postgresStore({ url, schema, clock: systemClock, random, migrate: 'auto', shards: 1 })
})

afterAll(async () => {
  await store.close()
  await hand.query(`drop schema if exists ${schema} cascade`)
  await hand.end()
})

interface Case {
  readonly node: string
  readonly claim: LimitClaim
  readonly others: readonly LentShare[]
  readonly at: number
}

const names = ['a', 'b', 'B', 'node-10', 'node-9', 'z']

/** Claims beside what others have, of all sorts: alone, many, all idle, more lent than there is. */
function drawnCases(count: number): Case[] {
  const draws = seededRandom(seed)
  const below = (most: number) => Math.floor(draws.fraction() * most)
  return Array.from({ length: count }, (_, index) => {
    const whole = draws.fraction() < 0.5
    const amount = whole ? below(draws.fraction() < 0.5 ? 8 : 400) : draws.fraction() * 10 ** below(5)
    const eagerOf = draws.fraction()
    const node = names[below(names.length)] ?? 'a'
    const others = names
      .filter((one) => one !== node && draws.fraction() < 0.6)
      .map((one): LentShare => {
        const share = whole ? below(amount / 3 + 1) : (draws.fraction() * amount) / 3
        return { node: one, share, eager: draws.fraction() < eagerOf }
      })
      .sort((one, another) => (one.node < another.node ? -1 : 1))
    const claim = { name: `limit ${index}`, amount, whole, held: 0, eager: draws.fraction() < eagerOf }
    return { node, claim, others, at: below(1_000_000_000) }
  })
}

it(`lends what \`lend\` does, to the last digit, seed ${seed}`, async () => {
  const cases = drawnCases(600)
  const rows = cases.flatMap(({ claim, others }) => others.map((one) => ({ limit_name: claim.name, ...one })))
  await hand.query(`insert into ${schema}.lent select * from jsonb_populate_recordset(null::${schema}.lent, $1)`, [
    JSON.stringify(rows),
  ])
  const asked = cases.map(({ node, claim, at }) => ({ ...claim, node, at }))
  const answered = await hand.query<{ share: number }>(
    `select ${schema}.lend_1(c.node, c.name, c.amount, c.whole, c.eager, c.at) as share
     from jsonb_array_elements($1) with ordinality e(one, place) cross join lateral jsonb_to_record(e.one)
       c(node text, name text, amount double precision, whole boolean, eager boolean, at double precision) order by e.place`,
    [JSON.stringify(asked)],
  )
  const wanted = cases.map(({ node, claim, others, at }) => lend(node, claim, others, at))
  expect(answered.rows.map(({ share }) => share)).toEqual(wanted)
  // Not passed in emptiness.
  expect(new Set(wanted).size).toBeGreaterThan(200)
})

it('writes no row of what stays as it was', async () => {
  const beat: NodeBeat = {
    node: 'n',
    group: 'g',
    owns: false,
    handlers: [],
    leaseMs: 600_000,
    release: [],
    lowMarks: [],
  }
  const limits = ['rate:bank', 'rate:post'].map((name) => {
    return { name, amount: 0.1, whole: false, held: 0.1, eager: true }
  })
  const written = async () => {
    const { rows } = await hand.query(
      `select limit_name, share, xmin::text from ${schema}.lent where node = 'n' order by 1`,
    )
    return rows
  }
  await store.own({ ...beat, limits })
  const before = await written()
  expect(before).toMatchObject([{ share: 0.1 }, { share: 0.1 }])
  await store.own({ ...beat, limits })
  expect(await written()).toEqual(before)
  await store.own(beat)
  expect(await written()).toEqual([])
})
