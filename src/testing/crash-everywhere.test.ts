import { describe, expect, it } from 'vitest'
import { handler } from '../engine/handler.ts'
import { crashEverywhere } from './crash-everywhere.ts'

const event = { source: 'shop', id: '1', type: 'order.paid', data: { total: 5 } }
const on = { source: 'shop', on: 'order.*', retry: { jitter: 'none' } } as const

describe('crashEverywhere', () => {
  it('shows that a plain step may repeat, and that its run always ends', async () => {
    const plain = handler('plain', on, async (_event, run) => {
      await run.step('charge', () => 'c1')
      await run.step('book', () => 'b1')
    })
    const report = await crashEverywhere(plain, event)
    expect(report.outcomes.length).toBeGreaterThanOrEqual(6)
    expect(report.repeats).toEqual(['book', 'charge'])
    expect(report.lost).toEqual([])
    expect(report.outcomes.every((outcome) => outcome.status === 'completed')).toBe(true)
  })

  it('shows that a step marked once never repeats: where it is in doubt, a person decides', async () => {
    const once = handler('once', on, (_event, run) => run.step('mail', { once: true, run: () => 'sent' }))
    const report = await crashEverywhere(once, event)
    expect(report.repeats).toEqual([])
    expect(new Set(report.outcomes.map((outcome) => outcome.status))).toEqual(new Set(['completed', 'unknown']))
  })

  it('shows that a confirmed step has its effect once', async () => {
    let sent = new Set<string>()
    const confirmed = handler('confirmed', on, (_event, run) =>
      run.step('pay', {
        run: (key) => {
          sent.add(key)
          return 'paid'
        },
        confirm: (key) => (sent.has(key) ? { result: 'paid' } : 'absent'),
      }),
    )
    sent = new Set()
    const report = await crashEverywhere(confirmed, event)
    expect(report.lost).toEqual([])
    expect(report.outcomes.every((outcome) => outcome.status === 'completed')).toBe(true)
  })
})
