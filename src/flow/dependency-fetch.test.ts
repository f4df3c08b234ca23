import { createServer } from 'node:https'
import { describe, expect, it } from 'vitest'
import { bodyOf, client, errorOf, listening, opened } from '../../test/support/calls.ts'
import { selfSigned } from '../../test/support/self-signed.ts'
import { CircuitOpen } from '../event/outcome.ts'
import { limits } from '../kit/limits.ts'
import { callFailureOf } from './call-failure.ts'
import { DependencyError } from './dependency-error.ts'

describe('an answer', () => {
  it('of 2xx is given back, with its body, its headers and where it came from', async () => {
    await using server = await listening(async (request, response) => {
      const sent = `${request.method} ${request.headers['idempotency-key']} ${await bodyOf(request)}`
      response.writeHead(201, { 'content-type': 'application/json', 'set-cookie': ['a=1', 'b=2'] })
      response.end(JSON.stringify({ sent }))
    })
    const { fetch } = client()
    const headers = { 'idempotency-key': 'k' }
    const response = await fetch(`${server.url}/pay`, { method: 'POST', headers, body: 'hello' })
    expect(response).toMatchObject({ status: 201, ok: true, url: `${server.url}/pay`, redirected: false })
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(await response.json()).toEqual({ sent: 'POST k hello' })
  })

  it('without a body is one', async () => {
    await using server = await listening((request, response) => {
      response.writeHead(request.method === 'HEAD' ? 200 : 204).end()
    })
    const { fetch } = client()
    expect(await (await fetch(server.url)).text()).toBe('')
    expect((await fetch(server.url, { method: 'HEAD' })).body).toBeNull()
  })

  it('of another status is an error that bears it', async () => {
    await using server = await listening((_request, response) => {
      response.writeHead(422, { 'x-why': 'amount' }).end('{"code":"amount_too_small"}')
    })
    const { fetch } = client()
    const error = await errorOf(fetch(`${server.url}/secret-path`, { method: 'POST' }))
    expect(error).toBeInstanceOf(DependencyError)
    expect(error).toMatchObject({ status: 422, body: '{"code":"amount_too_small"}', dependency: 'bank' })
    expect(error instanceof DependencyError && error.headers.get('x-why')).toBe('amount')
    expect(callFailureOf(error)).toEqual({ dependency: 'bank', verdict: 'fatal', retryAt: undefined })
    expect(String(error)).not.toContain('secret')
  })

  it('of another status is given back where it is accepted', async () => {
    await using server = await listening((_request, response) => {
      response.writeHead(404).end('none')
    })
    const response = await client().fetch(server.url, { accept: [404] })
    expect([response.status, await response.text()]).toEqual([404, 'none'])
  })

  it('of an error keeps so much of its body, and does not wait for more', async () => {
    await using server = await listening((_request, response) => {
      response.writeHead(500)
      response.write('x'.repeat(limits.errorBodyBytes + 10))
    })
    const error = await errorOf(client().fetch(server.url))
    expect(error instanceof DependencyError && error.body.length).toBe(limits.errorBodyBytes)
  })

  it('that redirects is followed, as fetch does; where it is told not to, that says nothing of the other side', async () => {
    await using server = await listening((request, response) => {
      if (request.url === '/new') response.end('moved')
      else response.writeHead(302, { location: '/new' }).end()
    })
    const { fetch, state } = client({ circuit: { failures: 1 } })
    const followed = await fetch(`${server.url}/old`)
    expect(followed).toMatchObject({ status: 200, redirected: true, url: `${server.url}/new` })
    const error = await errorOf(fetch(`${server.url}/old`, { redirect: 'manual' }))
    expect(error).toMatchObject({ status: 302 })
    expect(callFailureOf(error)).toBeUndefined()
    expect(state.circuit.isOpen).toBe(false)
    expect((await fetch(`${server.url}/old`, { redirect: 'manual', accept: [302] })).status).toBe(302)
  })
})

describe('what a status means', () => {
  it('is the usual, or what the dependency declares', async () => {
    await using server = await listening((request, response) => {
      response.writeHead(Number(request.url?.slice(1))).end()
    })
    const { fetch } = client({ statuses: { 404: 'transient', 403: 'later' }, circuit: { failures: 100 } })
    const verdict = async (status: number) => callFailureOf(await errorOf(fetch(`${server.url}/${status}`)))?.verdict
    expect([await verdict(404), await verdict(403), await verdict(410), await verdict(500)]).toEqual([
      'transient',
      'later',
      'fatal',
      'transient',
    ])
  })

  for (const status of [429, 503]) {
    it(`of ${status} with Retry-After: no call of this node goes before`, async () => {
      let calls = 0
      const retryAfter = { 'retry-after': '30' }
      await using server = await listening((_request, response) => {
        calls++
        response.writeHead(calls === 1 ? status : 200, calls === 1 ? retryAfter : {}).end()
      })
      const { fetch, clock, state, looks } = client()
      const at = clock.now() + 30_000
      expect(callFailureOf(await errorOf(fetch(server.url)))).toMatchObject({ retryAt: at })
      expect(state.hasRoom).toBe(false)
      // It does not wait for what cannot come in its time.
      expect(await errorOf(fetch(server.url))).toMatchObject({ name: 'NotGranted', retryInMs: 30_000 })
      await clock.advance('29s')
      const waiting = fetch(server.url)
      await clock.settle()
      expect(calls).toBe(1)
      const before = looks()
      await clock.advance('1s')
      expect(looks()).toBeGreaterThan(before)
      expect((await waiting).status).toBe(200)
      expect(state.hasRoom).toBe(true)
    })
  }

  it('of 500 with Retry-After holds up the run alone', async () => {
    await using server = await listening((_request, response) => {
      response.writeHead(500, { 'retry-after': '30' }).end()
    })
    const { fetch, clock, state } = client()
    expect(callFailureOf(await errorOf(fetch(server.url)))?.retryAt).toBe(clock.now() + 30_000)
    expect(state.hasRoom).toBe(true)
  })

  it('of a very long Retry-After holds up a node for so long, and its run for longer', async () => {
    await using server = await listening((_request, response) => {
      response.writeHead(429, { 'retry-after': '999999999' }).end()
    })
    const { fetch, clock, state } = client()
    expect(callFailureOf(await errorOf(fetch(server.url)))?.retryAt).toBe(clock.now() + limits.retryAfterMs)
    expect(state.rate.pausedMs).toBe(limits.retryAfterPauseMs)
  })
})

describe('a connection that fails', () => {
  it('is transient: refused, reset before the answer, reset in the middle of the body', async () => {
    await using server = await listening((request, response) => {
      if (request.url === '/at-once') request.socket.destroy()
      else {
        response.writeHead(200, { 'content-length': '1000' })
        response.write('{"half":', () => request.socket.destroy())
      }
    })
    const { fetch, state } = client({ circuit: { failures: 3 } })
    for (const url of [`${server.url}/at-once`, `${server.url}/in-the-middle`, 'http://127.0.0.1:1/']) {
      expect(callFailureOf(await errorOf(fetch(url)))?.verdict, url).toBe('transient')
    }
    expect(state.circuit.isOpen).toBe(true)
    expect(await errorOf(fetch(server.url))).toBeInstanceOf(CircuitOpen)
  })

  it('behind the part of a body that is read at once is transient, too; and the start of the body comes', async () => {
    const start = 'x'.repeat(limits.responseBytes + 1)
    let cut = () => {}
    await using server = await listening((request, response) => {
      cut = () => request.socket.destroy()
      response.writeHead(200, { 'content-length': String(2 * start.length) })
      response.write(start)
    })
    const response = await client().fetch(server.url)
    const text = errorOf(response.text())
    cut()
    expect(callFailureOf(await text)).toMatchObject({ dependency: 'bank', verdict: 'transient' })
  })

  it('whose certificate does not convince is a matter of configuration, and opens the circuit at once', async () => {
    const tls = createServer(selfSigned, (_request, response) => {
      response.end('never')
    })
    await using server = await opened(tls, 'https')
    const { fetch, state } = client()
    expect(callFailureOf(await errorOf(fetch(server.url)))?.verdict).toBe('configuration')
    expect(state.circuit.isOpen).toBe(true)
  })

  it('since there is no TLS on the other side is one, too', async () => {
    await using server = await listening((_request, response) => {
      response.end()
    })
    const error = await errorOf(client().fetch(server.url.replace('http:', 'https:')))
    expect(callFailureOf(error)?.verdict).toBe('configuration')
  })
})

describe('the time of a fetch', () => {
  it('covers the body, and is that of the call where it says one', async () => {
    let isCut = false
    await using server = await listening((request, response) => {
      response.write('{')
      request.socket.on('close', () => {
        isCut = true
      })
    })
    const { fetch, clock, state } = client({ timeout: '10s' })
    const late = errorOf(fetch(server.url, { timeout: '2s' }))
    await expect.poll(() => state.use.calls).toBe(1)
    await clock.advance('2s')
    expect(await late).toMatchObject({ code: 'dependency_timeout', details: { timeoutMs: 2_000 } })
    await expect.poll(() => isCut).toBe(true)
  })

  it('ends with the attempt, which says nothing of the other side', async () => {
    await using server = await listening(() => {})
    const { fetch, caller, state } = client({ circuit: { failures: 1 } })
    const ended = errorOf(fetch(server.url))
    await expect.poll(() => state.use.calls).toBe(1)
    caller.end()
    expect(await ended).toMatchObject({ name: 'AbortError' })
    expect(state.circuit.isOpen).toBe(false)
  })

  it('of a body that is read after the call ends with the attempt, too', async () => {
    await using server = await listening((_request, response) => {
      response.write('x'.repeat(limits.responseBytes + 1))
    })
    const { fetch, caller } = client()
    const response = await fetch(server.url)
    const text = errorOf(response.text())
    caller.end()
    expect(await text).toMatchObject({ name: 'AbortError' })
  })

  it('ends where the caller aborts it', async () => {
    await using server = await listening(() => {})
    const { fetch, state } = client()
    const controller = new AbortController()
    const ended = errorOf(fetch(server.url, { signal: controller.signal }))
    await expect.poll(() => state.use.calls).toBe(1)
    controller.abort()
    expect(await ended).toMatchObject({ name: 'AbortError' })
  })
})
