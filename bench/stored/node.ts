import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { createHapax } from '../../src/index.ts'
import { produce, slots } from '../measure.ts'
import { counted, event, idsOf } from '../works/events.ts'

/**
 * One of several nodes: `node bench/stored/node.ts URL`. Told `accept N`, accepts so many events; says `ran N` as it goes on,
 * of what it ran, whoever accepted it; told `stop`, stops, which makes all durable, and says `stopped`. Ends with who began it.
 */
const { positionals } = parseArgs({ allowPositionals: true })
const [url = ''] = positionals
const tellMs = 5
const { handler, ran } = counted()
const hapax = await createHapax({ store: url, handlers: [handler], concurrency: slots })
process.stdin.once('close', () => process.exit(1))
await hapax.start()
let told = 0
setInterval(() => {
  if (ran() === told) return
  told = ran()
  console.log(`ran ${told}`)
}, tellMs)
console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const [verb, number = '0'] = line.split(' ')
  if (verb === 'stop') {
    await hapax.stop()
    console.log('stopped')
  }
  if (verb === 'accept') {
    const ids = idsOf(Number(number), line.replace(' ', '_'))
    void produce(ids.length, (index) => hapax.accept(event(ids[index] ?? '')))
  }
}
process.exit(0)
