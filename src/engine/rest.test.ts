import { expect, it } from 'vitest'
import { on, order } from '../../test/support/shop.ts'
import type { Store } from '../store/store.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

const late = handler('late', { ...on, retry: { attempts: 5, min: '20s', jitter: 'none' } }, ({ id }, { attempt }) => {
  if (id.startsWith('late') && attempt === 1) throw new TypeError('down')
})

/** Statements of one call on PostgreSQL, where they are more than one. */
const statements: Readonly<Record<string, number>> = { purge: 6, onWork: 0 }

/** Counts what is asked, hears nothing, and loses beats while `isCut` says so. */
function probe(isCut: () => boolean = () => false) {
  const asked: string[] = []
  const wrapStore = (store: Store): Store =>
    new Proxy(store, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== 'function' || typeof name !== 'string') return member
        if (name === 'onWork') return () => () => {}
        return (...args: unknown[]) => {
          asked.push(name)
          return name === 'own' && isCut() ? Promise.reject(new TypeError('cut')) : member.apply(target, args)
        }
      },
    })
  return { asked, wrapStore }
}

it('asks its store less than once a second where nothing happens', async () => {
  const { asked, wrapStore } = probe()
  const world = await testWorld({ handlers: [late], wrapStore })
  await world.advance('2m')
  asked.length = 0
  await world.advance('10m')
  const count = asked.reduce((sum, name) => sum + (statements[name] ?? 1), 0)
  expect(count / 600).toBeLessThan(0.75)
  expect(asked).not.toContain('tail')
  await world.close()
})

it('finds with its next beat what comes to it unheard, and polls again from then on (G5)', async () => {
  const { asked, wrapStore } = probe()
  const world = await testWorld({ handlers: [late], wrapStore })
  const door = await world.node([])
  await world.advance('1m')
  for (const id of ['first', 'second']) {
    const receipt = await world.soon(door.accept(order(id)), '10ms')
    const from = world.clock.now()
    await world.ended(receipt)
    expect(world.clock.now() - from).toBeLessThanOrEqual(id === 'first' ? 2_100 : 1_100)
    await world.advance('3s')
  }
  asked.length = 0
  await world.advance('1m')
  expect(asked.filter((name) => name === 'tail').length).toBeLessThanOrEqual(12)
  await world.close()
})

it('polls where a beat is lost (G5)', async () => {
  let isCut = false
  const { wrapStore } = probe(() => isCut)
  const world = await testWorld({ handlers: [late], wrapStore })
  const door = await world.node([])
  await world.advance('1m')
  isCut = true
  await world.advance('2s')
  const receipt = await world.soon(door.accept(order('1')), '10ms')
  expect((await world.ended(receipt, '1100ms')).status).toBe('completed')
  isCut = false
  await world.close()
})

it('runs on time what becomes due while it rests, also where the wall clock is set', async () => {
  const { wrapStore } = probe()
  const world = await testWorld({ handlers: [late], wrapStore })
  const from = world.clock.now()
  const receipt = await world.soon(world.hapax.accept(order('late')), '100ms')
  await world.ended(receipt, '30s')
  expect(world.clock.now() - from).toBeLessThanOrEqual(20_200)

  const again = await world.soon(world.hapax.accept(order('late again')), '100ms')
  await world.advance('1s')
  world.clock.jump(3_600_000)
  expect((await world.ended(again, '2200ms')).status).toBe('completed')
  await world.close()
})
