import { describe, expect, it } from 'vitest'
import { alertScene, keptAlerts } from '../../test/support/alert-scene.ts'
import { never } from '../../test/support/shop.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import { limits } from '../kit/limits.ts'
import { silentLog } from '../kit/log.ts'
import { type Finding, fine, warning } from '../store/finding.ts'
import type { PurgeResult, Store } from '../store/store.ts'
import { testWorld } from '../testing/test-world.ts'
import { MaintenanceWatch } from './maintenance-watch.ts'

const kept = { payloadsBefore: 1, journalBefore: 1, identitiesBefore: 1 }

function scene(diagnose?: () => Promise<Finding[]>) {
  const channel = keptAlerts()
  const { clock, alerts } = alertScene(channel)
  const store = diagnose ? { diagnose } : {}
  const watch = new MaintenanceWatch({ clock, log: silentLog, store, alerts })
  watch.start()
  const pass = async (minutes: number, each: () => void) => {
    for (let minute = 0; minute < minutes; minute++) {
      each()
      await clock.advance('1m')
    }
  }
  return { channel, clock, watch, pass }
}

describe('people are told', () => {
  it('of sweeps that fail again and again, not of one that meets a restart; once an hour while it lasts', async () => {
    const { channel, watch, pass } = scene()
    const fail = () => watch.failed(new HapaxError('store_unavailable', { reason: 'host 10.0.0.1' }))
    await pass(limits.maintenanceFailures - 1, fail)
    watch.swept(kept)
    await pass(limits.maintenanceFailures - 1, fail)
    expect(channel.sent).toEqual([])
    await pass(1, fail)
    expect(channel.sent).toMatchObject([
      { kind: 'maintenance_failed', subject: 'retention', details: { failures: 3, code: 'store_unavailable' } },
    ])
    expect(JSON.stringify(channel.sent)).not.toContain('10.0.0.1')
    await pass(60, fail)
    expect(channel.sent).toHaveLength(2)
  })

  it('of a sweep that hangs', async () => {
    const { channel, clock, watch, pass } = scene()
    await pass(60, () => watch.swept(kept))
    await clock.advance(limits.maintenanceIdleMs - 1_000)
    expect(channel.sent).toEqual([])
    await clock.advance(limits.maintenanceLookMs)
    expect(channel.sent).toMatchObject([{ kind: 'maintenance_idle', subject: 'retention', count: 1 }])
  })

  it('of sweeps that end and leave what the store says they should have dropped; of nothing else that it says', async () => {
    let findings: Finding[] = [fine('retention', 'nothing is overdue'), warning('bloat', 'much', 'less', 'vacuum')]
    const { channel, watch, pass } = scene(async () => findings)
    await pass(180, () => watch.swept(kept))
    expect(channel.sent).toEqual([])
    findings = [warning('retention', '1000 or more payloads are overdue', 'none', 'let a node run')]
    await pass(61, () => watch.swept(kept))
    expect(channel.sent).toMatchObject([
      {
        kind: 'maintenance_idle',
        subject: 'retention',
        message: 'Retention does nothing: 1000 or more payloads are overdue. See hapax doctor.',
      },
    ])
  })

  it('and goes on looking where the store could not say', async () => {
    let asked = 0
    const { watch, pass } = scene(() => {
      asked++
      return Promise.reject(new HapaxError('store_unavailable', { reason: 'x' }))
    })
    await pass(180, () => watch.swept(kept))
    expect(asked).toBeGreaterThanOrEqual(2)
  })
})

describe('the engine’s own sweep', () => {
  const world = (purge: () => Promise<PurgeResult>) => {
    const channel = keptAlerts()
    const wrapStore = (store: Store): Store =>
      new Proxy(store, {
        get: (target, name, receiver) => (name === 'purge' ? purge : Reflect.get(target, name, receiver)),
      })
    return { channel, opened: testWorld({ handlers: [], alerts: [channel], wrapStore }) }
  }

  it('tells when it fails', async () => {
    const { channel, opened } = world(() => Promise.reject(new HapaxError('store_unavailable', { reason: 'full' })))
    const { advance, close } = await opened
    await advance('5m')
    expect(channel.sent).toMatchObject([{ kind: 'maintenance_failed', count: 1 }])
    await close()
  })

  it('tells when it hangs', async () => {
    const { channel, opened } = world(never)
    const { advance, close } = await opened
    await advance('4h')
    expect(channel.sent[0]).toMatchObject({ kind: 'maintenance_idle', subject: 'retention' })
    await close()
  })

  it('tells nothing when it goes well, and is not watched after a stop', async () => {
    const { channel, opened } = world(() => Promise.resolve({ payloads: 0, events: 0, identities: 0 }))
    const { clock, advance, close } = await opened
    await advance('4h')
    expect(channel.sent).toEqual([])
    await close()
    expect(clock.timers).toBe(0)
  })
})
