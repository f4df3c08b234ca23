import { expect, it } from 'vitest'
import { between } from '../../test/support/between.ts'
import { onEitherStore } from '../../test/support/either-store.ts'
import { on, order } from '../../test/support/shop.ts'
import { handler } from './handler.ts'

onEitherStore((open) => {
  it('resumes a crashed node’s run after its last checkpoint, and no attempt begun later runs that step again (G3)', async () => {
    const ran: string[] = []
    let hang = true
    const three = handler('three', on, async (_event, run) => {
      await run.step('one', () => ran.push('one'))
      await run.step('two', () => {
        ran.push('two')
        return hang ? new Promise<never>(() => {}) : 2
      })
      await run.step('three', () => ran.push('three'))
    })
    const world = await open({ handlers: [three] })
    const receipt = await world.hapax.accept(order('1'))
    await world.until(() => ran.includes('two'))
    await world.crash()
    hang = false
    await world.node()
    await world.advance('30s')
    expect(await world.ended(receipt)).toMatchObject({ status: 'completed' })
    expect(ran).toEqual(['one', 'two', 'two', 'three'])
    const { steps } = await world.newest().runs.get(receipt.runs[0]?.id ?? '')
    // Attempts are told apart, also where nothing but a checkpoint says that the first one had begun.
    expect(new Set(steps.map((step) => step.attempt)).size).toBe(2)
    await world.close()
  })

  it('keeps nothing that a step brings after its attempt’s time was up (G3)', async () => {
    const pass = (delayMs: number) => new Promise<void>((resolve) => world.clock.setTimer(delayMs, resolve))
    const woke: number[] = []
    const world = await open({
      handlers: [
        handler(
          'slow',
          { ...on, timeout: '5s', retry: { attempts: 2, min: '10s', jitter: 'none' } },
          async (_event, run) => {
            if (run.attempt === 1) await pass(4_500)
            await run.step('late', () => pass(1_000))
          },
        ),
        handler(
          'nap',
          { ...on, timeout: '5s', retry: { attempts: 2, min: '10s', jitter: 'none' } },
          async (_event, run) => {
            if (run.attempt === 1) await pass(4_999)
            await run.sleep('long', '1m')
            woke.push(run.attempt)
          },
        ),
      ],
      wrapStore: between({
        commit: async (go, batch) => {
          const answer = await go()
          if (batch.checkpoint?.length) await pass(50)
          return answer
        },
      }),
    })
    const receipt = await world.hapax.accept(order('1'))
    for (const run of receipt.runs) expect(await world.endedRun(run.id, '5m')).toMatchObject({ status: 'completed' })
    const [late] = (await world.hapax.runs.get(receipt.runs[0]?.id ?? '')).steps
    expect(late?.attempt).toBe(2)
    // The sleep was kept in time; the attempt that was over did not go on after it.
    expect(woke).toHaveLength(1)
    expect(woke[0]).toBeGreaterThan(1)
    await world.close()
  })
})
