import { describe, expect, it } from 'vitest'
import { on, order } from '../../test/support/shop.ts'
import { dependency } from '../flow/dependency.ts'
import { testWorld } from '../testing/test-world.ts'
import { handler } from './handler.ts'

it('judges whatever is thrown, also errors without a text', async () => {
  const hostile = [{ message: { code: 42 } }, { message: undefined }, { name: 7 }, { stack: null }]
  const throwing = handler('throwing', { ...on, retry: { attempts: 1 } }, ({ data }) => {
    throw Object.assign(new TypeError('x'), hostile[(data as { index: number }).index])
  })
  const world = await testWorld({ handlers: [throwing], shards: 1 })
  for (const index of hostile.keys()) {
    const receipt = await world.hapax.accept({ ...order(`${index}`), data: { index } })
    expect(await world.ended(receipt)).toMatchObject({ status: 'dead' })
  }
  await world.close()
})

describe('what a fetch of a dependency makes of its run', () => {
  /** A bank that answers by this, and a run that pays there in a step, which is never repeated in doubt. */
  async function paying(answer: () => Response) {
    const calls: string[] = []
    const fetch = async (url: string | URL | Request) => {
      calls.push(String(url))
      return answer()
    }
    const bank = dependency('bank', { fetch })
    const pay = handler('pay', { ...on, uses: [bank], retry: { attempts: 3, min: '1s' } }, (event, run) =>
      run.step('pay', {
        once: true,
        run: async () => {
          const { url } = event.data as { url?: string }
          return (await bank.fetch(url ?? 'https://bank.example/pay', { method: 'POST' })).json()
        },
      }),
    )
    const world = await testWorld({ handlers: [pay], shards: 1 })
    return { world, calls, accept: (data: { url?: string } = {}) => world.hapax.accept({ ...order('1'), data }) }
  }
  const json = (status: number, headers: Record<string, string> = {}) =>
    Response.json({ paid: true }, { status, headers })

  it('2xx: its answer is the result of the step', async () => {
    const { world, accept } = await paying(() => json(201))
    expect(await world.ended(await accept())).toMatchObject({ status: 'completed', state: { failuresInAll: 0 } })
    await world.close()
  })

  it('429: not before the time that it says, and no attempt of its own; the step is not in doubt', async () => {
    let refusals = 5
    const { world, accept, calls } = await paying(() =>
      refusals-- > 0 ? json(429, { 'retry-after': '40' }) : json(200),
    )
    const receipt = await accept()
    await world.standing(receipt, 'scheduled')
    const view = await world.hapax.runs.get(receipt.runs[0]?.id ?? '')
    expect(view.state).toMatchObject({ reason: 'deferred', failures: 0, error: { code: 'DependencyError' } })
    await world.advance('39s')
    expect(calls).toHaveLength(1)
    expect(await world.ended(receipt, '5m')).toMatchObject({ status: 'completed', state: { failuresInAll: 0 } })
    expect(calls).toHaveLength(6)
    await world.close()
  })

  it('401: it is parked, with all runs of the dependency, until it is mended', async () => {
    let status = 401
    const { world, accept, calls } = await paying(() => json(status))
    const receipt = await accept()
    await world.standing(receipt, 'parked')
    expect(calls).toHaveLength(1)
    expect(await world.hapax.controls.dependency('bank')).toMatchObject({
      circuit: 'open',
      turned: { reason: 'configuration' },
    })
    status = 200
    expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'completed', state: { failuresInAll: 0 } })
    await world.close()
  })

  it('404: it is dead at once, and the step is not in doubt', async () => {
    const { world, accept, calls } = await paying(() => json(404))
    const view = await world.ended(await accept())
    expect(view).toMatchObject({ status: 'dead', state: { error: { message: 'bank answered POST with 404.' } } })
    expect(calls).toHaveLength(1)
    await world.close()
  })

  it('a connection that breaks: the step is in doubt', async () => {
    const { world, accept } = await paying(() => {
      throw new TypeError('fetch failed', { cause: Object.assign(new Error('read'), { code: 'ECONNRESET' }) })
    })
    const receipt = await accept()
    await world.standing(receipt, 'unknown')
    await world.close()
  })

  it('a body that breaks off: the step is in doubt', async () => {
    const broken = () => {
      const body = new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode('{'))
        },
        pull(controller) {
          controller.error(
            new TypeError('terminated', { cause: Object.assign(new Error('x'), { code: 'UND_ERR_SOCKET' }) }),
          )
        },
      })
      return new Response(body)
    }
    const { world, accept } = await paying(broken)
    await world.standing(await accept(), 'unknown')
    await world.close()
  })

  it('what cannot be sent: it is dead at once, and the step is not in doubt', async () => {
    const { world, accept, calls } = await paying(() => json(200))
    const view = await world.ended(await accept({ url: 'no address' }))
    expect(view).toMatchObject({ status: 'dead', state: { attempt: 1, error: { code: 'fetch_invalid' } } })
    expect(calls).toEqual([])
    await world.close()
  })

  it('a network that failed: the record says by which code', async () => {
    const bank = dependency('bank', {
      fetch: async () => {
        throw new TypeError('fetch failed', { cause: Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }) })
      },
    })
    const ask = handler('ask', { ...on, retry: { attempts: 1 } }, (_event, run) =>
      run.step('ask', async () => (await bank.fetch('https://bank.example/')).text()),
    )
    const world = await testWorld({ handlers: [ask], shards: 1 })
    const view = await world.ended(await world.hapax.accept(order('1')))
    expect(view.state?.error).toMatchObject({ code: 'TypeError', message: 'fetch failed (ECONNREFUSED)', step: 'ask' })
    await world.close()
  })
})

it('nothing of a cached answer crosses tenants (G11)', async () => {
  const bank = dependency('bank', {
    fetch: async () => Response.json({ call: ++calls }),
  })
  let calls = 0
  const ask = handler('ask', on, (_event, run) =>
    run.step('ask', async () => (await bank.fetch('https://bank.example/', { cache: '5m' })).json()),
  )
  const world = await testWorld({ handlers: [ask], shards: 1 })
  const answers = []
  for (const [id, tenant] of ['one', 'other', 'one', 'other'].entries()) {
    const receipt = await world.hapax.accept({ ...order(`${id}`), tenant })
    answers.push(await world.soon(world.hapax.runs.result(receipt.runs[0]?.id ?? '')))
  }
  expect(answers).toEqual([{ call: 1 }, { call: 2 }, { call: 1 }, { call: 2 }])
  await world.close()
})
