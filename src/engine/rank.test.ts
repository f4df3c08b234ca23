import { expect, it } from 'vitest'
import { eventWith } from '../../test/support/entry.ts'
import { on, order } from '../../test/support/shop.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'
import { rankOf } from './rank.ts'

const event = eventWith('1', { tenant: 'acme', orderKey: 'customer 1' })

it('is of the tenant, and of the order key where the handler does not order by it', () => {
  expect(
    rankOf(
      handler('ship', on, () => {}),
      event,
    ),
  ).toEqual({ priority: 0, owner: 'acme', key: 'customer 1' })
  expect(
    rankOf(
      handler('ship', { ...on, order: true }, () => {}),
      event,
    ).key,
  ).toBe('')
})

it('is as urgent as the handler says, of the event', () => {
  const priority = ({ tenant }: { tenant: string }) => (tenant === 'acme' ? 5 : 1)
  expect(
    rankOf(
      handler('ship', { ...on, priority: 7 }, () => {}),
      event,
    ).priority,
  ).toBe(7)
  expect(
    rankOf(
      handler('ship', { ...on, priority }, () => {}),
      event,
    ).priority,
  ).toBe(5)
})

it.each([
  ['throws', () => JSON.parse('{')],
  ['is no number', () => Number.NaN],
])('a priority that %s is none', (_what, priority) => {
  expect(
    rankOf(
      handler('ship', { ...on, priority }, () => {}),
      event,
    ).priority,
  ).toBe(0)
})

it('the urgent go first, and tenants take turns, however many one of them has', async () => {
  const seen: string[] = []
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const ship = handler(
    'ship',
    { ...on, priority: ({ type }) => (type === 'order.express' ? 1 : 0) },
    async ({ id }) => {
      seen.push(id)
      if (id === 'first') await gate
    },
  )
  const world = await testWorld({ handlers: [ship], shards: 1, concurrency: 1 })
  await world.hapax.accept(order('first'))
  await world.until(() => seen.length === 1)
  for (let id = 0; id < 5; id++) await world.hapax.accept(order(`acme ${id}`, { tenant: 'acme' }))
  for (let id = 0; id < 2; id++) await world.hapax.accept(order(`bolt ${id}`, { tenant: 'bolt' }))
  await world.hapax.accept(order('express', { tenant: 'acme', type: 'order.express' }))
  open()
  await world.until(() => seen.length === 9)
  expect(seen).toEqual(['first', 'express', 'acme 0', 'bolt 0', 'acme 1', 'bolt 1', 'acme 2', 'acme 3', 'acme 4'])
  await world.close()
})
