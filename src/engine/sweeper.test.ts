import { expect, it } from 'vitest'
import { silentLog } from '../kit/log.ts'
import { seededRandom } from '../kit/random.ts'
import { memoryWorld } from '../store/memory/index.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { createEngine } from './engine.ts'

it('retention is kept by a process that only accepts too, by the store’s time', async () => {
  const clock = new FakeClock()
  // This process's wall runs a year ahead of the store's: by it all would be dropped.
  const ahead = new FakeClock(clock.now() + 365 * 86_400_000)
  const engine = await createEngine({
    store: memoryWorld({ clock }).connect(),
    clock: ahead,
    random: seededRandom(1),
    log: silentLog,
    handlers: [],
    sources: [],
    retention: { payloads: '1h', journal: '1h', identities: '1h' },
  })
  await engine.accept({ source: 'shop', id: '1', type: 'order.paid' })
  const pass = async (minutes: number) => {
    await clock.advance(minutes * 60_000)
    await ahead.advance(minutes * 60_000)
  }
  await pass(30)
  expect((await engine.controls.counts()).events).toBe(1)
  await pass(32)
  expect((await engine.controls.counts()).events).toBe(0)
  await engine.stop()
})
