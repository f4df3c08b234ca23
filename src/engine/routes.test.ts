import { expect, it } from 'vitest'
import type { HandlerRecord, Registry } from '../event/handler-record.ts'
import { Routes } from './routes.ts'

function record(name: string, more: Partial<HandlerRecord> = {}): HandlerRecord {
  const { group = 'g', sources = ['shop'], types = ['order.*'] } = more
  return { group, name, tag: name, sources, types, sinceVersion: 1, untilVersion: undefined, firstSeenAt: 0, ...more }
}

it('finds whom an event is for, again and again, until the registry changes', () => {
  let registry: Registry = { version: 1, handlers: [record('ship'), record('pay', { types: ['order.paid'] })] }
  const routes = new Routes(() => registry)
  const found = routes.of('shop', 'order.paid')
  expect(found.map(({ name }) => name)).toEqual(['ship', 'pay'])
  expect(routes.of('shop', 'order.paid')).toBe(found)
  expect(routes.of('shop', 'refund')).toEqual([])
  registry = { version: 2, handlers: [record('pay', { types: ['order.paid'] })] }
  expect(routes.of('shop', 'order.paid').map(({ name }) => name)).toEqual(['pay'])
})

it('gives an event the handlers of the version that it was accepted under, of those that are wanted', () => {
  const late = record('late', { sinceVersion: 2 })
  const registry: Registry = { version: 2, handlers: [record('ship'), late, record('theirs', { group: 'other' })] }
  const routes = new Routes(
    () => registry,
    ({ group }) => group === 'g',
  )
  const named = (registryVersion: number) =>
    routes.ofAccepted({ source: 'shop', type: 'order.paid', registryVersion }).map(({ name }) => name)
  expect([named(1), named(2), named(1)]).toEqual([['ship'], ['ship', 'late'], ['ship']])
})
