import { describe, expect, it } from 'vitest'
import { keptAlerts } from '../../test/support/alert-scene.ts'
import { completed } from '../../test/support/run-state.ts'
import { elsewhere, on, order, why } from '../../test/support/shop.ts'
import { Fatal } from '../event/outcome.ts'
import type { RunState } from '../event/run.ts'
import { limits } from '../kit/limits.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'
import { runAlert } from './run-alert.ts'

const failing = (fail: (number: string) => unknown, more = {}) =>
  handler('failing', { ...on, retry: { attempts: 1 }, ...more }, ({ id }) => {
    throw fail(id)
  })

describe('what a settlement tells', () => {
  const told = (before: Partial<RunState> | undefined, next: Partial<RunState>) =>
    runAlert('run-1', () => 'settle', before && completed(before), completed(next))
  const absent = (lookMs: number) => ({ status: 'waiting', reason: 'no_handler', since: 5, dueAt: 5 + lookMs }) as const

  it.each([
    ['completed', { status: 'completed' }, undefined],
    ['a retry', { status: 'scheduled', reason: 'retry' }, undefined],
    ['a cancel', { status: 'cancelled', reason: 'cancel' }, undefined],
    ['a signal', { status: 'waiting', reason: 'signal' }, undefined],
    ['death', { status: 'dead', reason: 'attempts_exhausted' }, 'run_dead'],
    ['death after an undo', { status: 'dead', reason: 'undone' }, 'run_dead'],
    ['expiry', { status: 'dead', reason: 'run_expired', error: { code: 'run_expired', message: '' } }, 'run_expired'],
    [
      'expiry with undo',
      { status: 'dead', reason: 'undone', error: { code: 'run_expired', message: '' } },
      'run_expired',
    ],
    ['doubt', { status: 'unknown', reason: 'step_in_doubt' }, 'run_unknown'],
  ] as const)('%s', (_what, next, kind) => {
    expect(told(undefined, next)?.kind).toBe(kind)
  })

  it('a handler that no node has, from the second look on: by then its shard would have gone to one', () => {
    const [long, short] = [absent(limits.noHandlerLookMs), absent(limits.pollMaxMs)]
    expect(told(undefined, short)).toBeUndefined()
    expect(told(undefined, long)).toBeUndefined()
    expect(told({ status: 'scheduled', reason: 'sleep' }, long)).toBeUndefined()
    expect(told(long, short)).toBeUndefined()
    for (const before of [long, short]) expect(told(before, long)).toMatchObject({ kind: 'no_handler', lasting: true })
  })

  it('names and codes, and nothing that a message or a made-up name holds', () => {
    const error = { code: 'card 4242', message: 'card 4242', stack: 'card 4242', step: 'card 4242' }
    expect(told(undefined, { status: 'dead', reason: 'card 4242', error })).toEqual({
      kind: 'run_dead',
      subject: 'settle',
      message: 'A run of settle is dead: Error.',
      details: { run: 'run-1', handler: 'settle', reason: 'Error' },
      lasting: false,
    })
    expect(
      told(undefined, { status: 'dead', reason: 'attempts_exhausted', error: { code: 'TypeError', message: 'x' } }),
    ).toMatchObject({ details: { reason: 'attempts_exhausted', code: 'TypeError' } })
  })
})

describe('the engine tells', () => {
  it('of a dead run, a second one after the window, and again of one that dies after a retry', async () => {
    const channel = keptAlerts()
    const world = await testWorld({ handlers: [failing((id) => new Fatal(`card ${id}`))], alerts: [channel] })
    const first = await world.hapax.accept(order('4242'))
    await world.ended(first)
    await world.ended(await world.hapax.accept(order('2')))
    expect(channel.sent).toMatchObject([
      { kind: 'run_dead', subject: 'failing', count: 1, group: 'default', details: { run: first.runs[0]?.id } },
    ])
    await world.soon(world.hapax.runs.retry(first.runs[0]?.id ?? '', why))
    await world.ended(first)
    await world.advance('5m')
    expect(channel.sent.map(({ count }) => count)).toEqual([1, 2])
    expect(JSON.stringify(channel.sent)).not.toContain('card')
    await world.close()
  })

  it('of a run that expires, and of one whose step stays in doubt', async () => {
    const channel = keptAlerts()
    const waiting = handler('waiting', { ...on, expires: '30s' }, (_event, run) => run.waitFor('approved'))
    const charging = handler('charging', { ...on, retry: { attempts: 1 } }, (_event, run) =>
      run.step('charge', {
        once: true,
        run: () => {
          throw new TypeError('reset')
        },
      }),
    )
    const world = await testWorld({ handlers: [waiting, charging], alerts: [channel] })
    await world.hapax.accept(order('1'))
    await world.advance('40s')
    expect(channel.sent.map(({ kind, subject }) => [kind, subject]).sort()).toEqual([
      ['run_expired', 'waiting'],
      ['run_unknown', 'charging'],
    ])
    await world.close()
  })

  it('of a run whose handler no node has, at once and then each hour, however often it is looked for', async () => {
    const channel = keptAlerts({ kinds: ['no_handler'] })
    const gone = handler('gone', on, async (_event, run) => run.sleep('night', '1h'))
    const world = await testWorld({ handlers: [gone], alerts: [channel], shards: 1 })
    const receipt = await world.hapax.accept(order('1'))
    await world.standing(receipt, 'scheduled')
    await world.crash()
    await world.node([handler('other', elsewhere, () => {})])
    await world.advance('62m')
    expect(channel.sent).toMatchObject([{ kind: 'no_handler', subject: 'gone', count: 1 }])
    await world.advance('1h')
    expect(channel.sent).toHaveLength(2)
    await world.close()
    expect(channel.sent).toHaveLength(2)
  })

  it('of none whose shard goes to a node that has its handler', async () => {
    const channel = keptAlerts()
    const slow = handler('slow', on, async (_event, run) => run.sleep('night', '10m'))
    const world = await testWorld({ handlers: [handler('other', elsewhere, () => {})], alerts: [channel], shards: 1 })
    const full = await world.node([slow])
    const receipts = []
    for (const id of ['1', '2', '3']) receipts.push(await full.accept(order(id)))
    for (const receipt of receipts) await world.ended(receipt, '15m')
    expect(channel.sent).toEqual([])
    await world.close()
  })

  it('what is queued when it stops', async () => {
    const channel = keptAlerts()
    const world = await testWorld({ handlers: [failing(() => new Fatal('x'))], alerts: [channel] })
    for (const id of ['1', '2', '3']) await world.ended(await world.hapax.accept(order(id)))
    await world.close()
    expect(channel.sent.map(({ count }) => count)).toEqual([1, 2])
  })

  it('and stops in its time where a channel hangs', async () => {
    const channel = keptAlerts({}, () => new Promise(() => {}))
    const world = await testWorld({ handlers: [failing(() => new Fatal('x'))], alerts: [channel] })
    await world.ended(await world.hapax.accept(order('1')))
    const startedAt = world.clock.now()
    await world.close()
    expect(world.clock.now() - startedAt).toBeLessThanOrEqual(limits.lastWordMs + 200)
  })
})
