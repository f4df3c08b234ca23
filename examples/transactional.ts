/**
 * Two commits that are one: an event accepted in the transaction that writes your own row (the outbox), and a handler
 * whose write commits together with its checkpoint (`run.transaction`). Your tables and the store's are in one file.
 */
import { mkdtempDisposableSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createHapax, handler, type NewEvent } from '../src/index.ts'

using folder = mkdtempDisposableSync(join(tmpdir(), 'hapax-transactional-'))
const path = join(folder.path, 'shop.db')

const book = handler('book', { source: 'shop', on: 'order.placed', needs: ['transaction'] }, async (event, run) => {
  const bookings = await run.transaction('book', (tx) => {
    tx.prepare('insert into shop_booking values (?)').run(event.id)
    return tx.prepare('select count(*) as bookings from shop_booking').get()?.bookings
  })
  return `${event.id} is booking ${bookings}`
})

await using hapax = await createHapax({ store: `sqlite:${path}`, handlers: [book] })
using mine = new DatabaseSync(path, { timeout: 5_000 })
mine.exec('create table shop_order (id text primary key) strict; create table shop_booking (id text) strict')
await hapax.start()

const order = (id: string): NewEvent => ({ source: 'shop', id, type: 'order.placed', data: { id } })
const finish = async (key: string) => {
  for (const { id } of (await hapax.events.get(key)).runs) console.log(await hapax.runs.result(id, { timeout: '10s' }))
}
// An accept of its own is durable when it answers.
const receipt = await hapax.accept(order('order-1'))
await finish(receipt.event.key)

// Within a transaction nothing is durable before it commits: so the answer is `pending` or `exists`, never a receipt.
async function place(id: string, end: 'commit' | 'rollback') {
  mine.exec('begin immediate')
  mine.prepare('insert or ignore into shop_order values (?)').run(id)
  const { outcome, event } = await hapax.accept(order(id), { transaction: mine })
  mine.exec(end)
  console.log(`${id}: ${outcome}, ${end}`)
  return event.key
}
await finish(await place('order-2', 'commit'))
await place('order-2', 'commit')
await place('order-3', 'rollback')
const { events } = await hapax.events.list({ source: 'shop' })
console.log(events.map(({ id }) => id).sort(), mine.prepare('select count(*) as orders from shop_order').get()?.orders)
