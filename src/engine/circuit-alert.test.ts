import { describe, expect, it } from 'vitest'
import { keptAlerts } from '../../test/support/alert-scene.ts'
import { on, order, why } from '../../test/support/shop.ts'
import { dependency } from '../flow/dependency.ts'
import type { CircuitRecord } from '../store/circuits.ts'
import { testWorld } from '../testing/test-world.ts'
import { circuitAlert } from './circuit-alert.ts'
import { handler } from './handler.ts'

const open: CircuitRecord = {
  dependency: 'bank',
  version: 1,
  state: 'open',
  since: 5_000,
  openedAt: 5_000,
  probeAt: 20_000,
  reason: 'failures',
  actor: 'node',
}

describe('the turn of a circuit', () => {
  it('is told when it opens and when it closes, and not for each probe', () => {
    expect(circuitAlert(open)).toMatchObject({
      kind: 'circuit_opened',
      subject: 'bank',
      details: { reason: 'failures' },
    })
    expect(circuitAlert({ ...open, state: 'probing', since: 20_000 })).toBeUndefined()
    expect(circuitAlert({ ...open, since: 21_000, reason: 'probe' })).toBeUndefined()
    expect(circuitAlert({ ...open, state: 'closed', since: 65_000, reason: 'recovered' })).toMatchObject({
      kind: 'circuit_closed',
      message: 'bank is called again, after 60 s.',
    })
  })

  it('says where credentials are what is wrong', () => {
    expect(circuitAlert({ ...open, reason: 'configuration' })?.message).toContain('credentials')
  })

  it('says nothing of what an operator wrote', () => {
    const told = circuitAlert({ ...open, reason: 'card 4242', actor: 'ann' })
    expect(JSON.stringify(told)).not.toContain('4242')
    expect(told?.details).toMatchObject({ reason: 'by hand' })
  })
})

it('tells of an outage: that calls have stopped, that runs are parked, that it is over', async () => {
  const alerts = keptAlerts()
  const kinds = () => alerts.sent.map(({ kind }) => kind)
  const bank = dependency('bank', { circuit: { failures: 2, cooldown: '5s' } })
  let isUp = false
  const pay = handler('pay', { ...on, uses: [bank] }, (_event, run) =>
    run.step('pay', () =>
      bank.call(() => {
        if (!isUp) throw Object.assign(new Error('down'), { status: 503 })
      }),
    ),
  )
  const world = await testWorld({ handlers: [pay], alerts: [alerts] })
  for (let id = 0; id < 20; id++) await world.hapax.accept(order(String(id)))
  await world.advance('10s')
  expect(kinds()).toEqual(['circuit_opened', 'runs_parked'])
  isUp = true
  await world.until(() => kinds().includes('circuit_closed'), '1m')
  await world.soon(world.hapax.controls.open('bank', why))
  await world.until(() => kinds().filter((kind) => kind === 'circuit_opened').length === 2, '10m')
  await world.close()
})
