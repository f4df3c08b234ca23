import { describe, expect, it } from 'vitest'
import { alertScene, died, keptAlerts } from '../../test/support/alert-scene.ts'
import { alertKinds } from '../event/alert.ts'
import { limits } from '../kit/limits.ts'

describe('alerts are gathered', () => {
  it('the first is told at once, with what it is about', async () => {
    const channel = keptAlerts()
    const { clock, alerts } = alertScene(channel)
    alerts.raise(died('settle', 'run-1'))
    await clock.settle()
    expect(channel.sent).toEqual([
      {
        id: 'alert_node_1',
        kind: 'run_dead',
        subject: 'settle',
        message: 'A run of settle is dead.',
        at: clock.now(),
        count: 1,
        group: 'g',
        node: 'g-node',
        details: { run: 'run-1' },
      },
    ])
  })

  it('a flood of 10,000 is two alerts, which together count all of them', async () => {
    const channel = keptAlerts()
    const { clock, alerts } = alertScene(channel)
    for (let many = 0; many < 100; many++) {
      for (let each = 0; each < 100; each++) alerts.raise(died('settle', `run-${many * 100 + each}`))
      await clock.advance(1_000)
    }
    const lastAt = clock.now() - 1_000
    await clock.advance('1h')
    expect(channel.sent.map(({ count }) => count)).toEqual([1, 9_999])
    expect(channel.sent[1]).toMatchObject({ details: { run: 'run-9999' }, at: lastAt })
    expect(new Set(channel.sent.map(({ id }) => id)).size).toBe(2)
    expect(clock.timers).toBe(0)
  })

  it('what goes on is one alert a window; what begins anew after a quiet one is told at once', async () => {
    const channel = keptAlerts()
    const { clock, alerts } = alertScene(channel)
    const goOn = async (minutes: number) => {
      for (let minute = 0; minute < minutes; minute++) {
        alerts.raise(died())
        await clock.advance('1m')
      }
    }
    await goOn(15)
    expect(channel.sent.map(({ count }) => count)).toEqual([1, 4, 5, 5])
    await clock.advance('1h')
    alerts.raise(died())
    await clock.settle()
    expect(channel.sent.at(-1)).toMatchObject({ count: 1, at: clock.now() })
  })

  it('a state that lasts is told again once an hour while it does, and not by a stop', async () => {
    const channel = keptAlerts()
    const { clock, alerts } = alertScene(channel)
    const last = async (minutes: number) => {
      for (let minute = 0; minute < minutes; minute++) {
        alerts.raise({ ...died(), kind: 'no_handler', lasting: true })
        await clock.advance('1m')
      }
    }
    await last(62)
    expect(channel.sent.map(({ count }) => count)).toEqual([1, 59])
    await clock.advance('3h')
    expect(channel.sent).toHaveLength(2)
    await last(2)
    await alerts.stop(limits.lastWordMs)
    expect(channel.sent.map(({ count }) => count)).toEqual([1, 59, 1])
  })

  it('kinds and subjects are told apart, and so many at most: the rest of a kind together', async () => {
    const channel = keptAlerts()
    const { clock, alerts } = alertScene(channel)
    alerts.raise(died('one'))
    alerts.raise({ ...died('one'), kind: 'run_unknown' })
    alerts.raise(died('other'))
    await clock.settle()
    expect(channel.sent.map(({ kind, subject }) => `${kind} ${subject}`)).toEqual([
      'run_dead one',
      'run_unknown one',
      'run_dead other',
    ])
    for (let many = 0; many < limits.alertSubjects; many++) {
      alerts.raise(died(`many-${many}`))
      await clock.settle()
    }
    await clock.advance(limits.alertWindowMs)
    expect(channel.sent.slice(-2)).toMatchObject([
      { subject: 'others', count: 1 },
      { subject: 'others', count: 2 },
    ])
    expect(channel.sent).toHaveLength(limits.alertSubjects + 2)
  })

  it('each channel gets the kinds that it names, and all where it names none', async () => {
    const all = keptAlerts()
    const some = keptAlerts({ kinds: ['no_handler', 'maintenance_idle'] })
    const none = keptAlerts({ kinds: [] })
    const { clock, alerts } = alertScene(all, some, none)
    for (const kind of alertKinds) alerts.raise({ ...died(), kind })
    await clock.settle()
    expect(all.sent.map(({ kind }) => kind)).toEqual(alertKinds)
    expect(some.sent.map(({ kind }) => kind)).toEqual(['no_handler', 'maintenance_idle'])
    expect(none.sent).toEqual([])
  })

  it('a stop tells what is gathered, and nothing is raised after it', async () => {
    const channel = keptAlerts()
    const { clock, alerts } = alertScene(channel)
    for (let many = 0; many < 3; many++) alerts.raise(died())
    const stopped = alerts.stop(limits.lastWordMs)
    alerts.raise(died('late'))
    await clock.settle()
    await stopped
    expect(channel.sent.map(({ count }) => count)).toEqual([1, 2])
    expect(clock.timers).toBe(0)
  })

  it('without channels nothing is kept, and no timer is set', () => {
    const { clock, alerts } = alertScene()
    alerts.raise(died())
    expect(clock.timers).toBe(0)
  })
})
