import { expect, it } from 'vitest'
import { eventWith } from '../../test/support/entry.ts'
import { on, order } from '../../test/support/shop.ts'
import { testWorld } from '../testing/test-world.ts'
import type { NewEvent } from './api.ts'
import { type HandlerOptions, handler } from './handler.ts'
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

/** A node whose slots are taken by runs of `held` events until it is opened. */
async function heldWorld(options: Partial<HandlerOptions>, ...held: readonly string[]) {
  const seen: string[] = []
  const gate = Promise.withResolvers<void>()
  const ship = handler('ship', { ...on, ...options }, async ({ id }) => {
    seen.push(id)
    if (held.includes(id)) await gate.promise
    else if (id === 'first') await first.promise
  })
  const first = Promise.withResolvers<void>()
  const world = await testWorld({ handlers: [ship], shards: 1, concurrency: 1 + held.length })
  await world.hapax.accept(order('first'))
  for (const id of held) await world.hapax.accept(order(id, { tenant: 'acme', orderKey: 'hot' }))
  await world.until(() => seen.length === 1 + held.length)
  const send = async (id: string, more: Partial<NewEvent> = {}) => {
    const { runs } = await world.hapax.accept(order(id, more))
    return runs[0]?.id ?? ''
  }
  const close = async () => {
    gate.resolve()
    await world.close()
  }
  /** Lets the first end, and so many others begin. */
  const open = async (count: number) => {
    const before = seen.length
    first.resolve()
    await world.until(() => seen.length === before + count)
    return seen.slice(before)
  }
  return { world, send, open, close }
}

it('the urgent go first, and tenants take turns, however many one of them has', async () => {
  const { send, open, close } = await heldWorld({ priority: ({ type }) => (type === 'order.express' ? 1 : 0) })
  for (let id = 0; id < 5; id++) await send(`acme ${id}`, { tenant: 'acme' })
  for (let id = 0; id < 2; id++) await send(`bolt ${id}`, { tenant: 'bolt' })
  await send('express', { tenant: 'acme', type: 'order.express' })
  expect(await open(8)).toEqual(['express', 'acme 0', 'bolt 0', 'acme 1', 'bolt 1', 'acme 2', 'acme 3', 'acme 4'])
  await close()
})

it('what was cancelled while it waited costs its tenant no turn', async () => {
  const { world, send, open, close } = await heldWorld({})
  const acme: string[] = []
  for (let id = 0; id < 4; id++) acme.push(await send(`acme ${id}`, { tenant: 'acme' }))
  for (let id = 0; id < 3; id++) await send(`bolt ${id}`, { tenant: 'bolt' })
  for (const run of acme.slice(0, 3)) await world.hapax.runs.cancel(run, { reason: 'not wanted', actor: 'ops' })
  expect(await open(4)).toEqual(['acme 3', 'bolt 0', 'bolt 1', 'bolt 2'])
  await close()
})

it('what waits for a slot of its key costs its tenant no turn', async () => {
  const { send, open, close } = await heldWorld({ concurrency: { perKey: 1 } }, 'held')
  for (let id = 0; id < 3; id++) await send(`hot ${id}`, { tenant: 'acme', orderKey: 'hot' })
  for (let id = 0; id < 2; id++) await send(`acme ${id}`, { tenant: 'acme', orderKey: `${id}` })
  for (let id = 0; id < 2; id++) await send(`bolt ${id}`, { tenant: 'bolt' })
  expect(await open(4)).toEqual(['acme 0', 'bolt 0', 'acme 1', 'bolt 1'])
  await close()
})
