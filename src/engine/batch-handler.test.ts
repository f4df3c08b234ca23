import { expect, it } from 'vitest'
import { accepted, runOf } from '../../test/support/bank.ts'
import { on, order } from '../../test/support/shop.ts'
import { dependency } from '../flow/dependency.ts'
import { testWorld } from '../testing/test-world.ts'
import { batchHandler } from './batch-handler.ts'

it('is called for many at once, and each run keeps its own result', async () => {
  const calls: string[][] = []
  const index = batchHandler('index', { ...on, batch: { size: 10, within: '1s' } }, (items) => {
    calls.push(items.map(({ event }) => event.id))
    return items.map(({ event }) => ({ indexed: event.id }))
  })
  const world = await testWorld({ handlers: [index] })
  const receipts = await accepted(world, 25)
  for (const [id, receipt] of receipts.entries())
    expect((await world.ended(receipt)).state?.result).toBe(`{"indexed":"${id}"}`)
  expect(calls.map((ids) => ids.length)).toEqual([10, 10, 5])
  await world.close()
})

it('retries by itself the run that failed alone, with its own key in another batch', async () => {
  const keys = new Map<string, string[]>()
  const index = batchHandler(
    'index',
    { ...on, batch: { size: 3, within: '1s' }, retry: { attempts: 3, min: '1s', jitter: 'none' } },
    (items) =>
      items.map(({ event, key }) => {
        const seen = [...(keys.get(event.id) ?? []), key]
        keys.set(event.id, seen)
        return event.id === '1' && seen.length === 1 ? new Error('refused') : event.id
      }),
  )
  const world = await testWorld({ handlers: [index] })
  const receipts = await accepted(world, 3)
  for (const receipt of receipts) expect(await world.ended(receipt)).toMatchObject({ status: 'completed' })
  expect(keys.get('0')).toHaveLength(1)
  const [first, again] = keys.get('1') ?? []
  expect(again).toBe(first)
  expect(new Set([...keys.values()].flat()).size).toBe(3)
  await world.close()
})

it('never mixes tenants (G11)', async () => {
  const tenants: string[][] = []
  const index = batchHandler('index', { ...on, batch: { size: 10, within: '1s' } }, (items) => {
    tenants.push(items.map(({ event }) => event.tenant))
  })
  const world = await testWorld({ handlers: [index] })
  for (let id = 0; id < 12; id++) await world.hapax.accept(order(`${id}`, { tenant: id % 2 ? 'acme' : 'bolt' }))
  await world.until(() => tenants.flat().length === 12)
  for (const batch of tenants) expect(new Set(batch).size).toBe(1)
  await world.close()
})

it('calls a dependency: when that is down all are parked, and come back', async () => {
  const bank = dependency('bank', { circuit: { failures: 1, cooldown: '5s' } })
  let isUp = false
  let calls = 0
  const index = batchHandler('index', { ...on, uses: [bank], batch: { size: 5, within: '1s' } }, (items) =>
    bank.call(() => {
      calls++
      if (!isUp) throw Object.assign(new Error('down'), { status: 503 })
      return items.map(() => 'done')
    }),
  )
  const world = await testWorld({ handlers: [index] })
  const receipts = await accepted(world, 5)
  await world.advance('3s')
  for (const receipt of receipts)
    expect(await world.hapax.runs.get(runOf(receipt))).toMatchObject({ status: 'parked', state: { failures: 0 } })
  expect(calls).toBe(1)
  isUp = true
  for (const receipt of receipts) expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed' })
  await world.close()
})

it('fills its batches though the dependency takes few calls a second: a call counts once', async () => {
  const bank = dependency('bank', { rate: '2/s', concurrency: 1 })
  const sizes: number[] = []
  const index = batchHandler('index', { ...on, uses: [bank], batch: { size: 20, within: '1s' } }, (items) =>
    bank.call(() => void sizes.push(items.length)),
  )
  const world = await testWorld({ handlers: [index] })
  await world.advance('5s')
  const receipts = await accepted(world, 60)
  for (const receipt of receipts) expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed' })
  expect(sizes).toEqual([20, 20, 20])
  await world.close()
})

it.each([
  [{ size: 0, within: '1s' }, 'batch.size'],
  [{ size: 1_001, within: '1s' }, 'batch.size'],
  [{ size: 10, within: 'soon' }, 'batch.within'],
])('refuses %j', (batch, problem) => {
  expect(() => batchHandler('index', { ...on, batch: Object.assign(batch) }, () => {})).toThrow(problem)
})
