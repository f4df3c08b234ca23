import { describe, expect, it } from 'vitest'
import { HapaxError } from '../errors/hapax-error.ts'
import { memoryWorld } from '../store/memory/index.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { testWorld } from '../testing/test-world.ts'
import { ReadinessCheck } from './readiness.ts'

function checking(write: () => Promise<void>) {
  const clock = new FakeClock()
  return { clock, check: new ReadinessCheck(memoryWorld({ clock }).connect(), clock, write) }
}

describe('readiness', () => {
  it('is proved by a write, at most one a second, whoever asks', async () => {
    let writes = 0
    const { clock, check } = checking(async () => {
      writes++
    })
    expect(await Promise.all([check.check(), check.check()])).toEqual([
      { store: 'memory', durability: 'relaxed' },
      { store: 'memory', durability: 'relaxed' },
    ])
    await clock.advance(999)
    await check.check()
    expect(writes).toBe(1)
    await clock.advance(1)
    await check.check()
    expect(writes).toBe(2)
  })

  it('is refused where the write is refused, and where it hangs', async () => {
    const full = checking(() => Promise.reject(new HapaxError('store_unavailable', { reason: 'disk full' })))
    await expect(full.check.check()).rejects.toMatchObject({ code: 'store_unavailable' })
    const hanging = checking(() => new Promise(() => {}))
    const asked = expect(hanging.check.check()).rejects.toMatchObject({ code: 'store_unavailable' })
    await hanging.clock.advance('2s')
    await asked
  })

  it('of a whole engine follows its store: a read that succeeds is not enough', async () => {
    let isFull = false
    const world = await testWorld({
      handlers: [],
      wrapStore: (store) =>
        new Proxy(store, {
          get(target, name) {
            const member: unknown = Reflect.get(target, name)
            if (name === 'own' && isFull)
              return () => Promise.reject(new HapaxError('store_unavailable', { reason: 'disk full' }))
            return typeof member === 'function' ? member.bind(target) : member
          },
        }),
    })
    expect(await world.hapax.ready()).toEqual({ store: 'memory', durability: 'relaxed' })
    isFull = true
    await world.advance('1s')
    await expect(world.hapax.ready()).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(await world.hapax.controls.settings()).toMatchObject({ paused: [] })
    isFull = false
    await world.advance('1s')
    expect(await world.hapax.ready()).toMatchObject({ store: 'memory' })
    await world.close()
    await expect(world.hapax.ready()).rejects.toMatchObject({ code: 'engine_stopped' })
  })
})
