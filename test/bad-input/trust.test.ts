import { join } from 'node:path'
import Stripe from 'stripe'
import { describe, expect, it } from 'vitest'
import { createHapax } from '../../src/index.ts'
import { systemClock } from '../../src/kit/clock.ts'
import { FakeClock } from '../../src/testing/index.ts'
import { signatureOf } from '../support/signed-source.ts'
import { expectProblem, expectUnharmed, folder, kept, rejected, secret, server } from './surface.ts'

describe('signatures', () => {
  const body = '{"id":"signed","type":"paid"}'
  const good = signatureOf(body)

  it.each<[string, Record<string, string>, string, string]>([
    ['none', {}, body, 'signature_missing'],
    ['an empty one', { 'x-signature': '' }, body, 'signature_invalid'],
    ['a wrong one', { 'x-signature': signatureOf('other') }, body, 'signature_invalid'],
    ['a truncated one', { 'x-signature': good.slice(0, -1) }, body, 'signature_invalid'],
    ['one of a body with other white space', { 'x-signature': good }, `${body} `, 'signature_invalid'],
  ])('%s: 401, nothing written', async (_name, headers, sent, code) => {
    const before = await kept()
    const rejections = await rejected(code)
    const response = await fetch(`${server.url}/in/shop`, { method: 'POST', body: sent, headers })
    await expectProblem(response, 401, code)
    await expect.poll(() => rejected(code)).toBe(rejections + 1)
    await expectUnharmed(before)
  })
})

describe("a provider's timestamped signature", () => {
  const body = '{"id":"evt_timed","type":"payment_intent.succeeded","created":1,"data":{"object":{}}}'
  const send = (ageSeconds: number) =>
    fetch(`${server.url}/in/stripe`, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'stripe-signature': Stripe.webhooks.generateTestHeaderString({
          payload: body,
          secret,
          timestamp: Math.floor(systemClock.now() / 1_000) - ageSeconds,
        }),
      },
    })

  it.each([
    ['replayed after an hour', 3_600],
    ['replayed after ten years', 315_360_000],
    ['from an hour ahead', -3_600],
  ])('%s: 401, nothing written', async (_name, ageSeconds) => {
    const before = await kept()
    await expectProblem(await send(ageSeconds), 401, 'signature_stale')
    await expectUnharmed(before)
  })

  it('sent again within the tolerance: the same event', async () => {
    const outcomes: string[] = []
    for (const age of [0, 0, 60]) outcomes.push(JSON.parse(await (await send(age)).text()).outcome)
    expect(outcomes).toEqual(['accepted', 'duplicate', 'duplicate'])
  })
})

describe('clocks that jump', () => {
  it.each([
    ['an hour back', -3_600_000],
    ['a year ahead', 31_536_000_000],
    ['before 1970', -2_000_000_000_000],
  ])('%s: what came is still known, what comes has a key of its own', async (name, byMs) => {
    const clock = new FakeClock()
    const path = join(folder, `${name}.db`)
    const jumping = await createHapax({ store: `sqlite:${path}`, clock })
    const accept = (id: string) => jumping.accept({ source: 'shop', id, type: 'paid', data: 1 })
    const first = await accept('a')
    clock.jump(byMs)
    const again = await accept('a')
    const second = await accept('b')
    expect([first, again, second].map(({ outcome }) => outcome)).toEqual(['accepted', 'duplicate', 'accepted'])
    expect(again.event.key).toBe(first.event.key)
    expect(second.event.key).not.toBe(first.event.key)
    clock.jump(-byMs)
    expect((await accept('b')).event.key).toBe(second.event.key)
    await jumping.stop()
  })
})
