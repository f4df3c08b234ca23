/**
 * A service that answers 40 calls a second, and more with 429; it is down when the work begins. The same orders are settled twice:
 * with `fetch` by hand, and through a dependency with a rate, a circuit and a cache. Printed: what the service saw of each.
 */
import { once } from 'node:events'
import { mkdtempDisposableSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createHapax, dependency, type Handler, handler } from '../src/index.ts'

using folder = mkdtempDisposableSync(join(tmpdir(), 'hapax-slow-api-'))
const orders = 40
const perSecond = 40

/** What the service has seen since it was started anew. */
const seen = { rates: 0, charges: 0, refused: 0, failed: 0 }
let isUp = true
let answeredAt: number[] = []
const service = createServer((request, response) => {
  const now = performance.now()
  answeredAt = answeredAt.filter((at) => at > now - 1_000)
  if (!isUp) {
    seen.failed++
    response.writeHead(503).end()
  } else if (answeredAt.length >= perSecond) {
    seen.refused++
    response.writeHead(429, { 'retry-after': '1' }).end()
  } else {
    answeredAt.push(now)
    if (request.url === '/rates') seen.rates++
    else seen.charges++
    response.end(JSON.stringify({ euro: 1.07 }))
  }
})
service.listen(0, '127.0.0.1')
await once(service, 'listening')
const address = service.address()
const base = typeof address === 'object' && address ? `http://127.0.0.1:${address.port}` : ''

const retry = { attempts: 50, min: '100ms', max: '400ms' } as const

const byHand = handler('by-hand', { source: 'shop', on: 'by-hand', retry }, async (_event, run) => {
  const ask = async (url: string, init?: RequestInit) => {
    const response = await fetch(url, init)
    if (!response.ok) throw new Error(`answered ${response.status}`)
    return response.json()
  }
  await run.step('rates', () => ask(`${base}/rates`))
  await run.step('charge', (key) => ask(`${base}/charge`, { method: 'POST', headers: { 'idempotency-key': key } }))
})

const bank = dependency('bank', {
  timeout: '2s',
  // Below what the service takes; over all nodes, however many there are.
  rate: '30/s',
  concurrency: 10,
  circuit: { failures: 3, within: '10s', cooldown: '200ms' },
})
const options = { source: 'shop', on: 'by-dependency', uses: [bank], retry } as const
const byDependency = handler('by-dependency', options, async (_event, run) => {
  // Rates that are a minute old will do: one call serves all runs of this node.
  await run.step('rates', async () => (await bank.fetch(`${base}/rates`, { cache: '1m' })).json())
  await run.step('charge', async (key) => {
    const headers = { 'idempotency-key': key }
    return (await bank.fetch(`${base}/charge`, { method: 'POST', headers })).json()
  })
})

await using hapax = await createHapax({ store: `sqlite:${folder.path}/slow.db`, handlers: [byHand, byDependency] })
await hapax.start()

/** Settles all orders with one handler, while the service is down for half a second. */
async function settleAll({ name }: Handler) {
  Object.assign(seen, { rates: 0, charges: 0, refused: 0, failed: 0 })
  answeredAt = []
  isUp = false
  const runs: string[] = []
  for (let order = 1; order <= orders; order++) {
    const receipt = await hapax.accept({ source: 'shop', id: `${name} ${order}`, type: name })
    runs.push(...receipt.runs.map(({ id }) => id))
  }
  await delay(500)
  isUp = true
  for (const id of runs) await hapax.runs.result(id, { timeout: '30s' })
  const { rates, charges, refused, failed } = seen
  const calls = rates + charges + refused + failed
  console.log(
    `${name}: ${runs.length} orders by ${calls} calls: ${rates} rates, ${charges} charges, refused ${refused}, failed ${failed}`,
  )
  return { ...seen, calls }
}

const hand = await settleAll(byHand)
const through = await settleAll(byDependency)
service.close()
console.log(`saved by the rate: ${hand.refused - through.refused} calls that were refused`)
console.log(`saved by the circuit: ${hand.failed - through.failed} calls to a service that is down`)
console.log(`saved by the cache: ${hand.rates - through.rates} calls for what was known`)
