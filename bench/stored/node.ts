import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { createHapax } from '../../src/index.ts'
import { produce, slots } from '../measure.ts'
import { counted, event, idsOf } from '../works/events.ts'

/**
 * One of several nodes: `node bench/stored/node.ts URL WARMUP COUNT PRODUCERS`. Says `ready` when it is warm; told to go, lives
 * through its events and says `done`, with the second of its begin and of its end.
 */
const { positionals } = parseArgs({ allowPositionals: true })
const [url = '', warmUp = '0', count = '0', producers = '1'] = positionals
const { handler, reached } = counted()
const hapax = await createHapax({ store: url, handlers: [handler], concurrency: slots })
await hapax.start()
const live = (ids: readonly string[]) =>
  produce(ids.length, (index) => hapax.accept(event(ids[index] ?? '')), Number(producers))
const warm = reached(Number(warmUp))
await live(idsOf(Number(warmUp), 'warm'))
await warm
console.log('ready')
await once(createInterface({ input: process.stdin }), 'line')
const ids = idsOf(Number(count))
const all = reached(Number(warmUp) + Number(count))
const began = Date.now() / 1_000
await live(ids)
await all
// Every completion is durable when this resolves.
await hapax.stop()
console.log(`done ${began} ${Date.now() / 1_000}`)
process.exit(0)
