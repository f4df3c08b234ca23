import { describe, expect, it } from 'vitest'
import { client, errorOf, listening } from '../../test/support/calls.ts'
import { limits } from '../kit/limits.ts'
import { callFailureOf } from './call-failure.ts'

describe('a cached fetch', () => {
  /** Answers with the number of the call. */
  const counting = (more: { status?: number; size?: number } = {}) => {
    const calls: string[] = []
    const listener: Parameters<typeof listening>[0] = (request, response) => {
      calls.push(`${request.method} ${request.url}`)
      response.writeHead(more.status ?? 200, { 'x-call': calls.length })
      response.end(`${calls.length}`.padEnd(more.size ?? 1, '.'))
    }
    return { calls, listener, more }
  }

  it('is one call within the time, with a body for each who asks', async () => {
    const { calls, listener } = counting()
    await using server = await listening(listener)
    const { fetch, clock, state } = client()
    const first = await fetch(server.url, { cache: '5m' })
    await clock.advance('4m')
    const second = await fetch(`${server.url}#part`, { cache: '5m' })
    expect([await first.text(), await second.text(), second.headers.get('x-call')]).toEqual(['1', '1', '1'])
    expect(second).toMatchObject({ status: 200, url: `${server.url}/` })
    await clock.advance('1m')
    expect(await (await fetch(server.url, { cache: '5m' })).text()).toBe('2')
    expect([calls.length, state.use.calls]).toEqual([2, 2])
  })

  it('is one call for all who ask at once, also where the first of them ends', async () => {
    const calls: (() => void)[] = []
    await using server = await listening((_request, response) => {
      calls.push(() => response.end('one'))
    })
    const { fetch, as, caller } = client()
    const first = errorOf(fetch(server.url, { cache: '5m' }))
    const others = [1, 2, 3].map(() => as('default', server.url, { cache: '5m' }))
    await expect.poll(() => calls.length).toBe(1)
    caller.end()
    expect(await first).toMatchObject({ name: 'AbortError' })
    calls[0]?.()
    expect(await Promise.all(others.map(async (other) => (await other).text()))).toEqual(['one', 'one', 'one'])
    expect(calls.length).toBe(1)
  })

  it('that fails, fails for all who share it, counts once, and is not kept', async () => {
    const { calls, listener, more } = counting({ status: 500 })
    await using server = await listening(listener)
    const { as, state } = client({ circuit: { failures: 2 } })
    const both = [1, 2].map(() => errorOf(as('default', server.url, { cache: '5m' })))
    for (const error of await Promise.all(both)) {
      expect(error).toMatchObject({ status: 500 })
      expect(callFailureOf(error)?.verdict).toBe('transient')
    }
    expect([calls.length, state.circuit.isOpen]).toEqual([1, false])
    more.status = 200
    expect(await (await as('default', server.url, { cache: '5m' })).text()).toBe('2')
  })

  it('is of its tenant, method, address and headers alone', async () => {
    const { calls, listener } = counting()
    await using server = await listening(listener)
    const { as } = client()
    const cache = '5m'
    for (let times = 0; times < 2; times++) {
      await as('one', server.url, { cache })
      await as('other', server.url, { cache })
      await as('one', server.url, { cache, method: 'HEAD' })
      await as('one', `${server.url}/?page=2`, { cache })
      await as('one', server.url, { cache, headers: { Authorization: 'Bearer one' } })
      await as('one', server.url, { cache, headers: { authorization: 'Bearer other' } })
    }
    expect(calls.length).toBe(6)
  })

  it('keeps no answer but of 2xx, also where another is accepted', async () => {
    const { calls, listener } = counting({ status: 404 })
    await using server = await listening(listener)
    const { fetch } = client()
    for (let times = 0; times < 2; times++)
      expect((await fetch(server.url, { cache: '5m', accept: [404] })).status).toBe(404)
    expect(await errorOf(fetch(server.url, { cache: '5m' }))).toMatchObject({ status: 404 })
    expect(calls.length).toBe(3)
  })

  it('of a large body is a call for each, and comes whole', async () => {
    const size = limits.responseBytes + 1
    const { calls, listener } = counting({ size })
    await using server = await listening(listener)
    const { fetch } = client()
    const read = async () => (await (await fetch(server.url, { cache: '5m' })).text()).length
    expect([await read(), await read(), await read()]).toEqual([size, size, size])
    // That it is large was found out by the first.
    expect(calls.length).toBe(4)
  })

  it('takes no slot and no turn, and is answered while the circuit is open', async () => {
    const { calls, listener, more } = counting()
    await using server = await listening(listener)
    const { fetch, state } = client({ circuit: { failures: 1 } })
    await fetch(server.url, { cache: '5m' })
    more.status = 500
    await errorOf(fetch(`${server.url}/other`))
    expect(state.circuit.isOpen).toBe(true)
    state.rate.set(0)
    state.slots.set(0)
    expect(await (await fetch(server.url, { cache: '5m' })).text()).toBe('1')
    expect(calls.length).toBe(2)
  })

  it('is nothing to who aborts', async () => {
    await using server = await listening(() => {})
    const { fetch } = client()
    const signal = AbortSignal.abort()
    expect(await errorOf(fetch(server.url, { cache: '5m', signal }))).toMatchObject({ name: 'AbortError' })
  })
})
