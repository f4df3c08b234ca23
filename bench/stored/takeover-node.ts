import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { createHapax, handler } from '../../src/index.ts'
import { produce, slots } from '../measure.ts'
import { event, idsOf } from '../works/events.ts'

/**
 * One of two nodes: `node bench/stored/takeover-node.ts URL`. Says `ready`. Told `hang N`, accepts so many events whose runs do not
 * come back in this process, and says `hanging` when all have begun; told `run N`, says `first` and `all` of such runs of
 * others, with the time. Told `end`, stops.
 */
const { positionals } = parseArgs({ allowPositionals: true })
const own = new Set<string>()
let wanted = Number.POSITIVE_INFINITY
let count = 0
let begun = () => {}
const settle = handler('settle-payment', { source: 'stripe', on: '*' }, async ({ id }) => {
  if (own.has(id)) {
    begun()
    await new Promise(() => {})
  }
  if (!id.startsWith('taken_')) return { ok: true }
  count++
  if (count === 1) console.log(`first ${Date.now()}`)
  if (count === wanted) console.log(`all ${Date.now()}`)
  return { ok: true }
})
const hapax = await createHapax({ store: positionals[0] ?? '', handlers: [settle], concurrency: slots })
await hapax.start()
console.log('ready')
process.stdin.once('close', () => process.exit(1))
for await (const line of createInterface({ input: process.stdin })) {
  const [verb, number = '0'] = line.split(' ')
  if (verb === 'end') break
  wanted = Number(number)
  if (verb === 'hang') await hang(idsOf(wanted, 'taken'))
}
await hapax.stop()
process.exit(0)

async function hang(ids: readonly string[]): Promise<void> {
  for (const id of ids) own.add(id)
  let left = ids.length
  const all = new Promise<void>((resolve) => {
    begun = () => {
      if (--left === 0) resolve()
    }
  })
  await produce(ids.length, (index) => hapax.accept(event(ids[index] ?? '')))
  await all
  console.log('hanging')
}
