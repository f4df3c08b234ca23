import { describe, expect, it } from 'vitest'
import { accepted, quick, runOf, shop } from '../../test/support/bank.ts'
import { never, on, why } from '../../test/support/shop.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

describe('operators', () => {
  it('open a circuit, which stays open until they close it', async () => {
    const { world, there } = await shop({ circuit: quick })
    expect(await world.soon(world.hapax.controls.open('bank', why))).toMatchObject({
      circuit: 'open',
      turned: { actor: 'me', probeAt: undefined },
      handlers: ['pay'],
    })
    const [receipt] = await accepted(world, 1)
    await world.advance('10m')
    expect(there.calls).toEqual([])
    expect(await world.hapax.runs.get(runOf(receipt))).toMatchObject({ status: 'parked' })
    await world.soon(world.hapax.controls.close('bank', why))
    await world.until(() => there.calls.length === 1, '1s')
    await world.close()
  })

  it('pause a dependency: its runs are held, and are not parked', async () => {
    const { world, there } = await shop({ circuit: quick })
    const answer = await world.soon(world.hapax.controls.pause('dependency', 'bank', why))
    expect(answer.matches).toEqual({ handlers: 1, sources: 0 })
    const [receipt] = await accepted(world, 1)
    await world.advance('1m')
    expect(await world.hapax.runs.get(runOf(receipt))).toMatchObject({
      status: 'ready',
      held: { reason: 'paused', by: 'dependency bank' },
    })
    await world.soon(world.hapax.controls.resume('dependency', 'bank', why))
    await world.until(() => there.calls.length === 1, '5s')
    await world.close()
  })

  it('find a dependency that no code has any more', async () => {
    const world = await testWorld({ handlers: [handler('idle', on, never)] })
    await expect(world.soon(world.hapax.controls.dependency('bank'))).rejects.toMatchObject({ code: 'not_found' })
    await world.soon(world.hapax.controls.open('bank', why))
    expect(await world.soon(world.hapax.controls.dependencies())).toMatchObject([{ name: 'bank', handlers: [] }])
    await world.close()
  })
})
