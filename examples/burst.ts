/**
 * A burst, and what keeping its latest saves, or gathering it. The trace is made up, and the same each time: 1,000 updates of 50
 * stock levels in 10 s, one each 10 ms, every second one of 5 that sell fast. It is played ten times as fast, and each level is
 * sent on to a shop three times: by a handler that sends each update, by one that sends the latest of 5 s (here 500 ms), and by one
 * that sends 20 in a call, or what came within 5 s.
 */
import { mkdtempDisposableSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { batchHandler, createHapax, type HandlerEvent, handler } from '../src/index.ts'

using folder = mkdtempDisposableSync(join(tmpdir(), 'hapax-burst-'))

interface Level {
  readonly item: string
  readonly left: number
}

const trace: readonly Level[] = Array.from({ length: 1_000 }, (_, n) => {
  const item = n % 2 === 0 ? (n / 2) % 5 : 5 + (((n - 1) / 2) % 45)
  return { item: `item-${item}`, left: 1_000 - n }
})
const tenTimes = 10
const windowMs = 5_000 / tenTimes

/** What the shop was told last, by how many calls. */
const shop = () => ({ calls: 0, levels: new Map<string, number>() })
const shops = { each: shop(), latest: shop(), gathered: shop() }
const tell = (which: keyof typeof shops, events: readonly HandlerEvent[]) => {
  shops[which].calls++
  for (const { data } of events) {
    const { item, left } = data as Level
    shops[which].levels.set(item, left)
  }
}

const on = { source: 'stock', on: 'level.changed' } as const
const each = handler('each', on, (event) => tell('each', [event]))
const latest = handler(
  'latest',
  { ...on, order: true, coalesce: { key: (event) => event.subject ?? '', window: windowMs } },
  (event) => tell('latest', [event]),
)
const gathered = batchHandler('gathered', { ...on, batch: { size: 20, within: windowMs } }, (items) =>
  tell(
    'gathered',
    items.map(({ event }) => event),
  ),
)

await using hapax = await createHapax({ store: `sqlite:${folder.path}/stock.db`, handlers: [each, latest, gathered] })
await hapax.start()

const begunMs = performance.now()
const accepted = []
for (const [n, level] of trace.entries()) {
  await delay(Math.max(0, begunMs + (n * 10) / tenTimes - performance.now()))
  // One order key: however many nodes there are, one of them has all updates of an item.
  const { item } = level
  accepted.push(
    hapax.accept({ source: 'stock', id: `${n}`, type: 'level.changed', subject: item, orderKey: item, data: level }),
  )
}
const runs = (await Promise.all(accepted)).flatMap((receipt) => receipt.runs)
const results = await Promise.all(runs.map(({ id }) => hapax.runs.result(id, { timeout: '20s' })))

const overtaken = results.filter((result) => typeof result === 'object' && result !== null && 'coalescedBy' in result)
console.log(`each: ${shops.each.calls} calls for ${trace.length} updates`)
console.log(`latest: ${shops.latest.calls} calls, ${overtaken.length} runs were overtaken`)
console.log(`gathered: ${shops.gathered.calls} calls`)
const last = new Map(trace.map(({ item, left }) => [item, left]))
for (const which of ['latest', 'gathered'] as const) {
  const right = [...last].filter(([item, left]) => shops[which].levels.get(item) === left)
  const saved = shops.each.calls - shops[which].calls
  console.log(`saved by ${which}: ${saved} calls; ${right.length} of ${last.size} items are right`)
}
