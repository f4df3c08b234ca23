import { describe, expect, it } from 'vitest'
import { Fatal } from '../event/outcome.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

const reason = { reason: 'test' }
const event = (id: string) => ({ source: 'shop', id, type: 'order.paid' })

describe('a replay', () => {
  it('from one item of a loop drops its checkpoint and those after it', async () => {
    const paid: string[] = []
    const world = await testWorld({
      handlers: [
        handler('pay', { source: 'shop', on: '*' }, async (_event, run) => {
          for (const of of ['a', 'b', 'c']) await run.step('pay', { of, run: () => paid.push(of) })
        }),
      ],
    })
    const receipt = await world.hapax.accept(event('1'))
    const id = receipt.runs[0]?.id ?? ''
    await world.ended(receipt)
    const answer = world.soon(world.hapax.runs.replay(id, { ...reason, fromStep: 'pay', of: 'b' }))
    expect(await answer).toMatchObject({ outcome: 'applied' })
    await world.until(async () => (await world.hapax.runs.get(id)).status === 'completed')
    expect(paid).toEqual(['a', 'b', 'c', 'b', 'c'])
    const unknown = world.soon(world.hapax.runs.replay(id, { ...reason, fromStep: 'pay', of: 'd' }))
    expect(await unknown).toMatchObject({ outcome: 'refused', reason: 'step_unknown' })
    const lonely = world.hapax.runs.replay(id, { ...reason, of: 'b' })
    await expect(lonely).rejects.toMatchObject({ code: 'invalid_query' })
    await world.close()
  })
})

describe('a pause', () => {
  it('takes any name, holds what comes under it, and says what that is today', async () => {
    const seen: string[] = []
    const settle = handler('settle', { source: ['shop', 'bank-*'], on: '*' }, ({ id }) => {
      seen.push(id)
    })
    const world = await testWorld({ handlers: [settle] })
    const { controls } = world.hapax
    expect((await controls.pause('source', 'shop', reason)).matches).toEqual({ handlers: 1, sources: 0 })
    expect((await controls.pause('source', 'bank-7', reason)).matches).toEqual({ handlers: 1, sources: 0 })
    expect((await controls.pause('handler', 'setle', reason)).matches).toEqual({ handlers: 0, sources: 0 })
    const receipt = await world.hapax.accept(event('1'))
    await world.advance('10s')
    expect(await world.hapax.runs.get(receipt.runs[0]?.id ?? '')).toMatchObject({
      status: 'ready',
      held: { reason: 'paused', by: 'source shop' },
    })
    expect((await controls.resume('source', 'shop', reason)).matches).toEqual({ handlers: 1, sources: 0 })
    await world.ended(receipt)
    expect(seen).toEqual(['1'])
    for (const name of ['', 'x'.repeat(200)])
      await expect(controls.pause('source', name, reason)).rejects.toMatchObject({ code: 'invalid_query' })
    await world.close()
  })
})

describe('a result', () => {
  it('of a run that did not complete is run_ended, of one that goes on run_unfinished', async () => {
    const world = await testWorld({
      handlers: [
        handler('dies', { source: 'shop', on: 'order.paid' }, () => {
          throw new Fatal('no such account')
        }),
        handler('waits', { source: 'shop', on: 'order.waits' }, (_event, run) => run.waitFor('approved')),
      ],
    })
    const dead = await world.hapax.accept(event('1'))
    const result = world.soon(world.hapax.runs.result(dead.runs[0]?.id ?? ''))
    await expect(result).rejects.toMatchObject({
      code: 'run_ended',
      details: { status: 'dead', reason: 'no such account' },
    })
    const waits = await world.hapax.accept({ ...event('2'), type: 'order.waits' })
    await world.standing(waits, 'waiting')
    const unfinished = world.soon(world.hapax.runs.result(waits.runs[0]?.id ?? '', { timeout: '1s' }))
    await expect(unfinished).rejects.toMatchObject({ code: 'run_unfinished', details: { status: 'waiting' } })
    await world.close()
  })
})
