/** The library on one page: accepted once, steps that are kept; a repeat and a conflict are told apart. */
import { mkdtempDisposableSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHapax, handler } from '../src/index.ts'

using folder = mkdtempDisposableSync(join(tmpdir(), 'hapax-library-'))

const settle = handler('settle-order', { source: 'shop', on: 'order.paid' }, async (event, run) => {
  const capture = await run.step('capture', (key) => {
    // Call the provider here, with `key` as its idempotency key: it is the same however often this is tried.
    return { captured: true, key }
  })
  await run.step('book', () => ({ booked: true }))
  return { order: event.id, captured: capture.captured }
})

const hapax = await createHapax({ store: `sqlite:${folder.path}/example.db`, handlers: [settle] })
await hapax.start()

const order = { source: 'shop', id: `order-${process.pid}`, type: 'order.paid', data: { total: 1999, currency: 'eur' } }
const receipt = await hapax.accept(order)
console.log(receipt.outcome, receipt.durability) // accepted local-fsync

const again = await hapax.accept(order)
console.log(again.outcome) // duplicate: same id, same content

const other = await hapax.accept({ ...order, data: { total: 1 } })
console.log(other.outcome) // conflict: same id, other content; the first stands

const [run] = receipt.runs
if (run) console.log(await hapax.runs.result(run.id)) // { order: 'order-…', captured: true }
await hapax.stop()
