import { describe, expect, it } from 'vitest'
import { alertScene, died, keptAlerts } from '../../test/support/alert-scene.ts'
import { never } from '../../test/support/shop.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import type { AlertChannel } from '../event/alert.ts'
import { limits } from '../kit/limits.ts'

const secretUrl = 'https://chat.example/hooks/s3cr3t'
/** As the global fetch fails where it is given an address that it cannot read. */
const leaky = () =>
  Promise.reject(Object.assign(new TypeError(`Failed to parse URL from ${secretUrl}`), { code: 'E1' }))

describe('alerts are delivered', () => {
  it('again after a failure, later each time, under the same id', async () => {
    const times: number[] = []
    const channel = keptAlerts({}, (tries) => {
      times.push(scene.clock.now())
      return tries < 3 ? leaky() : undefined
    })
    const scene = alertScene(channel)
    const startAt = scene.clock.now()
    scene.alerts.raise(died())
    await scene.clock.advance('4m')
    expect(times.map((at) => at - startAt)).toEqual([0, 1_000, 5_000])
    expect(new Set(channel.sent.map(({ id }) => id)).size).toBe(1)
    expect(scene.lines).toEqual([])
  })

  it('a few times; then the log has it, without what an error says of addresses', async () => {
    const channel = keptAlerts({}, leaky)
    const { clock, lines, alerts } = alertScene(channel)
    alerts.raise(died())
    await clock.advance('4m')
    expect(channel.sent).toHaveLength(limits.alertTries)
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      {
        time: expect.any(String),
        level: 'error',
        message: 'an alert was not delivered: A run of settle is dead.',
        channel: 'kept',
        kind: 'run_dead',
        subject: 'settle',
        count: 1,
        reason: 'TypeError E1',
      },
    ])
    expect(lines.join()).not.toContain('s3cr3t')
  })

  it.each([
    [
      'a channel that throws at once',
      () => {
        throw new HapaxError('alert_undelivered', { reason: 'it answered 503' })
      },
      'it answered 503',
    ],
    ['what is no error', () => Promise.reject(secretUrl), 'something was thrown that is no Error'],
    [
      'an error whose name is no word',
      () => Promise.reject(Object.assign(new TypeError('x'), { name: secretUrl })),
      'Error',
    ],
  ])('%s is a failure like any other', async (_what, send, reason) => {
    const { clock, lines, alerts } = alertScene({ send })
    alerts.raise(died())
    await clock.advance('4m')
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ channel: 'channel', reason }])
  })

  it('a try that hangs is given up, and its signal aborts; other channels do not wait for it', async () => {
    const signals: AbortSignal[] = []
    const hangs: AlertChannel = {
      name: 'hangs',
      send: (_alert, { signal }) => {
        signals.push(signal)
        return never()
      },
    }
    const other = keptAlerts()
    const { clock, lines, alerts } = alertScene(hangs, other)
    alerts.raise(died('one'))
    alerts.raise(died('two'))
    await clock.settle()
    expect(other.sent).toHaveLength(2)
    await clock.advance(limits.alertTimeoutMs - 1)
    expect(signals.map(({ aborted }) => aborted)).toEqual([false])
    await clock.advance(1_001)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
    await clock.advance('4m')
    expect(lines.join()).toContain(`no end within ${limits.alertTimeoutMs} ms`)
  })

  it('so many wait at most; more are in the log', async () => {
    const channel = keptAlerts({}, never)
    const { clock, lines, alerts } = alertScene(channel)
    alerts.raise(died('first'))
    await clock.settle()
    for (let many = 0; many < limits.alertsQueued + 2; many++) alerts.raise(died(`many-${many}`))
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { subject: `many-${limits.alertsQueued}`, reason: 'too many wait' },
      { subject: `many-${limits.alertsQueued + 1}`, reason: 'too many wait' },
    ])
  })
})

describe('a stop', () => {
  it('tries what waits for its next try at once, and once more at most', async () => {
    const mended = keptAlerts({}, (tries) => (tries === 1 ? leaky() : undefined))
    const broken = keptAlerts({ name: 'broken' }, leaky)
    const { clock, lines, alerts } = alertScene(mended, broken)
    alerts.raise(died())
    await clock.settle()
    const stopped = alerts.stop(limits.lastWordMs)
    await clock.settle()
    await stopped
    expect(mended.sent).toHaveLength(2)
    expect(broken.sent).toHaveLength(2)
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ channel: 'broken' }])
  })

  it('ends within its bound, however a channel hangs; what it could not deliver is in the log', async () => {
    const channel = keptAlerts({}, never)
    const { clock, lines, alerts } = alertScene(channel)
    for (const subject of ['one', 'two', 'three']) alerts.raise(died(subject))
    await clock.settle()
    let isStopped = false
    const stopped = alerts.stop(limits.lastWordMs).then(() => {
      isStopped = true
    })
    await clock.advance(limits.lastWordMs - 1)
    expect(isStopped).toBe(false)
    await clock.advance(1)
    await stopped
    const lost = lines.map((line) => JSON.parse(line)).map(({ subject, reason }) => [subject, reason])
    expect(lost.sort()).toEqual(['one', 'three', 'two'].map((subject) => [subject, 'the node stops']))
    expect(channel.sent).toHaveLength(1)
    expect(clock.timers).toBe(0)
  })
})
