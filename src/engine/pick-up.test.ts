import { describe, expect, it } from 'vitest'
import { onEitherStore } from '../../test/support/either-store.ts'
import { on, order } from '../../test/support/shop.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

const other = handler('other', { source: 'elsewhere', on: '*' }, () => {})

describe('unclaimed events', () => {
  it('are given to a handler that appears, however many there are, each once', async () => {
    const seen = new Set<string>()
    let calls = 0
    const late = handler('late', on, ({ id }) => {
      calls++
      seen.add(id)
    })
    const world = await testWorld({ handlers: [other], shards: 2 })
    for (let index = 0; index < 450; index++) await world.soon(world.hapax.accept(order(`${index}`)))
    await world.node([other, late])
    await world.until(() => seen.size === 450, '2m')
    await world.advance('2m')
    expect(calls).toBe(450)
    await world.close()
  })

  it('are given to none that took them when they were accepted, or whose `pickUp` they are too old for', async () => {
    const seen: string[] = []
    const late = handler('late', { ...on, pickUp: '10m' }, ({ id }) => seen.push(id))
    const world = await testWorld({ handlers: [other], shards: 2 })
    await world.soon(world.hapax.accept(order('old')))
    await world.advance('11m')
    await world.soon(world.hapax.accept(order('young')))
    await world.node([other, late])
    await world.until(() => seen.length === 1, '2m')
    await world.advance('2m')
    expect(seen).toEqual(['young'])
    await world.close()
  })

  it('are redriven for the handlers of every group that take them', async () => {
    const seen: string[] = []
    const mine = handler('mine', { ...on, pickUp: '0s' }, () => seen.push('mine'))
    const theirs = handler('theirs', { ...on, pickUp: '0s' }, () => seen.push('theirs'))
    const world = await testWorld({ handlers: [other], shards: 2 })
    await world.soon(world.hapax.accept(order('1')))
    await world.node([other, mine])
    await world.node([theirs], { group: 'theirs' })
    await world.advance('10s')
    expect(seen).toEqual([])
    const { id } = await world.soon(world.hapax.runs.redrive({ unclaimed: true }, { reason: 'a test' }))
    await world.until(() => seen.length === 2, '2m')
    expect(seen.sort()).toEqual(['mine', 'theirs'])
    expect(await world.soon(world.hapax.runs.redriveStatus(id))).toMatchObject({ asked: 1, applied: 1 })
    await world.close()
  })
})

onEitherStore((open) => {
  it('are given to a handler that appears while they are young, and stay listed when they are old', async () => {
    const world = await open({ handlers: [] })
    const old = await world.hapax.accept(order('old'))
    await world.advance('2h')
    const young = await world.hapax.accept(order('young'))
    expect(old.runs).toEqual([])
    const seen: string[] = []
    const late = await world.node([
      handler('late', on, (event) => {
        seen.push(event.id)
      }),
    ])
    await world.advance('30s')
    await world.until(() => seen.includes('young'))
    expect(seen).toEqual(['young'])
    expect((await late.events.list({ unclaimed: true })).events.map((event) => event.id)).toEqual(['old'])
    await world.soon(late.runs.redrive({ unclaimed: true }, { reason: 'wanted after all' }))
    await world.until(() => seen.includes('old'))
    expect(young.outcome).toBe('accepted')
    await world.close()
  })
})
