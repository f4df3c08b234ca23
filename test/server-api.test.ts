import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createClient, type HapaxClient } from '../src/client/http-client.ts'
import { HapaxError } from '../src/errors/hapax-error.ts'
import { type HapaxServer, listen } from '../src/server/server.ts'
import { type FakeHapax, fakeHapax } from './support/fake-hapax.ts'
import { signedSource } from './support/signed-source.ts'

const runId = '01KADJ2F7B000000000000000Z-0123456a'

let hapax: FakeHapax
let server: HapaxServer
let client: HapaxClient

beforeAll(async () => {
  hapax = fakeHapax([signedSource()])
  server = await listen(hapax, { port: 0 })
  client = createClient({ url: server.url })
})

beforeEach(() => {
  hapax.kept.clear()
  hapax.asked.length = 0
  hapax.failWith = undefined
  hapax.answerWith = { outcome: 'applied' }
})

afterAll(() => server.close())

const get = (path: string, headers: Record<string, string> = {}) => fetch(`${server.url}${path}`, { headers })
const post = (path: string, body: string, headers: Record<string, string> = {}) =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
  })
const jsonOf = async (response: Response) => JSON.parse(await response.text())
const codeOf = async (response: Response): Promise<unknown> => {
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const problem = await jsonOf(response)
  expect(problem.status).toBe(response.status)
  return problem.code
}
const cloudEvent = (change: object = {}) =>
  JSON.stringify({ specversion: '1.0', id: '1', source: 'orders', type: 'order.paid', data: { a: 1 }, ...change })
const send = (body: string, type = 'application/cloudevents+json') => post('/v1/events', body, { 'content-type': type })

describe('POST /v1/events', () => {
  it('answers 202, 200 for the same again, 409 for a conflict, each with a receipt', async () => {
    for (const [body, status, outcome] of [
      [cloudEvent(), 202, 'accepted'],
      [cloudEvent(), 200, 'duplicate'],
      [cloudEvent({ data: { a: 2 } }), 409, 'conflict'],
    ] as const) {
      const response = await send(body)
      expect(response.status).toBe(status)
      expect(response.headers.get('content-type')).toBe('application/json')
      expect(await jsonOf(response)).toMatchObject({ outcome })
    }
  })

  it('answers a batch with a receipt each, in its order', async () => {
    await send(cloudEvent({ id: '2' }))
    const batch = `[${['1', '2', '3'].map((id) => cloudEvent({ id })).join(',')}]`
    const response = await send(batch, 'application/cloudevents-batch+json')
    expect(response.status).toBe(202)
    const items: { outcome: string }[] = await jsonOf(response)
    expect(items.map(({ outcome }) => outcome)).toEqual(['accepted', 'duplicate', 'accepted'])
  })

  it('refuses a batch whole when one of it is no event', async () => {
    const response = await send(`[${cloudEvent()},{}]`, 'application/cloudevents-batch+json')
    expect(response.status).toBe(400)
    expect(await codeOf(response)).toBe('invalid_event')
    expect(hapax.kept.size).toBe(0)
  })

  it('says of a batch that was not committed to come again', async () => {
    hapax.failWith = new HapaxError('store_unavailable', { reason: 'disk full' })
    const response = await send(`[${cloudEvent()}]`, 'application/cloudevents-batch+json')
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('1')
    expect(await jsonOf(response)).toMatchObject([{ code: 'store_unavailable' }])
  })

  it('does not take events of a source that has a verifier', async () => {
    const response = await send(cloudEvent({ source: 'shop' }))
    expect(response.status).toBe(403)
    expect(await codeOf(response)).toBe('source_is_verified')
    expect(hapax.kept.size).toBe(0)
  })

  it('takes binary mode, and refuses an attribute that comes twice', async () => {
    const headers = { 'ce-specversion': '1.0', 'ce-id': '9', 'ce-source': 'orders', 'ce-type': 't' }
    expect((await post('/v1/events', '{"a":1}', headers)).status).toBe(202)
    const { request } = await import('node:http')
    const status = await new Promise((resolve, reject) => {
      const twice = request(`${server.url}/v1/events`, { method: 'POST' }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      for (const [name, value] of Object.entries(headers)) twice.setHeader(name, value)
      twice.setHeader('ce-id', ['9', '10'])
      twice.on('error', reject).end('{}')
    })
    expect(status).toBe(400)
  })
})

describe('events', () => {
  it('come back as JSON with every digit of their numbers, as bytes, and whole through the client', async () => {
    const data = '{"amount":9007199254740993,"rate":0.1000000000000000055}'
    const receipt = await jsonOf(await send(cloudEvent().replace('{"a":1}', data)))
    const path = `/v1/events/${receipt.event.key}`
    expect(await (await get(path)).text()).toContain(`"data":${data}`)
    expect(Buffer.from((await jsonOf(await get(`${path}?body=base64`))).event.bodyBase64, 'base64').toString()).toBe(
      data,
    )
    const body = await get(`${path}/body`)
    expect(body.headers.get('content-type')).toBe('application/octet-stream')
    expect(await body.text()).toBe(data)
    const { event } = await client.events.get(receipt.event.key)
    expect(Buffer.from(event.body ?? []).toString()).toBe(data)
    expect(await client.events.history(receipt.event.key)).toMatchObject([{ kind: 'accepted' }])
  })

  it('come back as base64 where they are not JSON', async () => {
    const receipt = await client.accept({
      source: 'files',
      id: '1',
      type: 't',
      body: Uint8Array.of(0, 255),
      contentType: 'application/octet-stream',
    })
    const { event } = await jsonOf(await get(`/v1/events/${receipt.event.key}`))
    expect(event).toMatchObject({ bodyBase64: 'AP8=' })
    expect(event).not.toHaveProperty('data')
  })

  it('take a bigint from the client', async () => {
    const receipt = await client.accept({ source: 'bets', id: '1', type: 't', data: { amount: 2n ** 53n + 1n } })
    const { event } = await client.events.get(receipt.event.key)
    expect(Buffer.from(event.body ?? []).toString()).toBe('{"amount":9007199254740993}')
  })

  it('are searched by the source that is asked for', async () => {
    await client.accept({ source: 'one', id: '1', type: 't', data: 1 })
    await client.accept({ source: 'two', id: '1', type: 't', data: 1 })
    const { events, next } = await client.events.list({ source: 'two', limit: 10 })
    expect(events.map(({ source }) => source)).toEqual(['two'])
    expect(next).toBeUndefined()
  })
})

describe('queries', () => {
  it.each([
    ['/v1/events?sorce=x', 'invalid_query'],
    ['/v1/events?limit=0', 'invalid_query'],
    ['/v1/events?limit=1e2', 'invalid_query'],
    ['/v1/events?limit=201', 'invalid_query'],
    ['/v1/events?after=yesterday', 'invalid_query'],
    ['/v1/events?source=a&source=b', 'invalid_query'],
    ['/v1/events?__proto__=x', 'invalid_query'],
    ['/v1/events?constructor.prototype=x', 'invalid_query'],
    ['/v1/events?unclaimed=maybe', 'invalid_query'],
    ['/v1/events?cursor=forged', 'invalid_cursor'],
    ['/v1/runs?status=finished', 'invalid_query'],
    ['/v1/runs?status=', 'invalid_query'],
    ['/v1/settings?x=1', 'invalid_query'],
  ])('%s is 400 %s', async (path, code) => {
    const response = await get(path)
    expect(response.status).toBe(400)
    expect(await codeOf(response)).toBe(code)
  })

  it.each([
    '/v1/events/evt_1',
    '/v1/events/01KADJ2F7B000000000000000Z',
    '/v1/runs/x',
    '/v1/redrive/x',
    '/v1/nothing',
    '/',
    '/v1/events/%00',
    '/v1/events/%zz',
    `/v1/events/${'x'.repeat(5_000)}`,
  ])('%s is 404', async (path) => {
    const response = await get(path)
    expect(response.status).toBe(404)
    expect(await codeOf(response)).toBe('not_found')
  })

  it('names the methods of a route', async () => {
    const response = await fetch(`${server.url}/v1/events`, { method: 'DELETE' })
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe('POST, GET')
    expect(await codeOf(response)).toBe('method_not_allowed')
  })

  it('reach the store as they were meant', async () => {
    await client.runs.list({ handler: 'settle', statuses: ['dead', 'unknown'], limit: 5, after: 7 })
    expect(hapax.asked).toEqual([
      { verb: 'list', id: '', detail: { handler: 'settle', statuses: ['dead', 'unknown'], limit: 5, after: 7 } },
    ])
  })
})

describe('verbs', () => {
  const reason = 'the bank says so'

  it.each(['retry', 'cancel', 'replay', 'resolve'])('%s needs a reason', async (verb) => {
    for (const body of ['{}', '', '{"reason":""}', '{"reason":"  "}', '{"reason":null}']) {
      const response = await post(`/v1/runs/${runId}/${verb}`, body)
      expect(response.status).toBe(400)
      expect(await codeOf(response)).toBe('reason_required')
    }
    expect(hapax.asked).toEqual([])
  })

  it('reach the run with all that was said', async () => {
    await client.runs.retry(runId, { reason })
    await client.runs.cancel(runId, { reason, actor: 'cli', undo: false })
    await client.runs.replay(runId, { reason, fromStep: 'pay', of: '7', newKeys: true })
    await client.runs.resolve(runId, { reason, step: 'capture', result: { captured: null } })
    await client.runs.resolve(runId, { reason, step: 'capture', of: '7', repeat: true })
    await client.runs.signal(runId, 'approved by/whom', { by: 'A' }, { id: 's1', actor: 'cli' })
    expect(hapax.asked).toEqual([
      { verb: 'retry', id: runId, detail: { reason, actor: 'http' } },
      { verb: 'cancel', id: runId, detail: { reason, actor: 'cli', undo: false } },
      { verb: 'replay', id: runId, detail: { reason, actor: 'http', fromStep: 'pay', of: '7', newKeys: true } },
      { verb: 'resolve', id: runId, detail: { reason, actor: 'http', step: 'capture', result: { captured: null } } },
      { verb: 'resolve', id: runId, detail: { reason, actor: 'http', step: 'capture', of: '7', repeat: true } },
      { verb: 'signal', id: runId, detail: { name: 'approved by/whom', payload: { by: 'A' }, id: 's1', actor: 'cli' } },
    ])
  })

  it('answer 200 applied, 202 pending with where to look, 409 refused', async () => {
    const ask = () => post(`/v1/runs/${runId}/retry`, JSON.stringify({ reason }))
    expect((await ask()).status).toBe(200)
    expect(await client.runs.retry(runId, { reason })).toEqual({ outcome: 'applied', run: runId })

    hapax.answerWith = { outcome: 'pending' }
    const pending = await ask()
    expect(pending.status).toBe(202)
    expect(pending.headers.get('location')).toBe(`/v1/runs/${runId}`)
    expect(await client.runs.retry(runId, { reason })).toEqual({ outcome: 'pending', run: runId })

    hapax.answerWith = { outcome: 'refused', reason: 'completed' }
    const refused = await ask()
    expect(refused.status).toBe(409)
    expect(await codeOf(refused)).toBe('intervention_refused')
    expect(await client.runs.retry(runId, { reason })).toEqual({ outcome: 'refused', run: runId, reason: 'completed' })
  })

  it.each([
    ['two decisions', '{"reason":"x","step":"s","result":1,"repeat":true}'],
    ['no decision', '{"reason":"x","step":"s"}'],
    ['an unknown field', '{"reason":"x","step":"s","fail":true,"undo":true}'],
    ['a list', '[]'],
  ])('resolve refuses %s', async (_name, body) => {
    const response = await post(`/v1/runs/${runId}/resolve`, body)
    expect(await codeOf(response)).toBe('invalid_query')
    expect(hapax.asked).toEqual([])
  })

  it('are not taken from a form or as text, which a web page may send here unasked', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      const response = await post(`/v1/runs/${runId}/retry`, '{"reason":"x"}', { 'content-type': type })
      expect(response.status).toBe(415)
    }
    expect(hapax.asked).toEqual([])
  })

  it('redrive many, look how far it is, and stop it', async () => {
    const response = await post('/v1/redrive', '{"reason":"mended","handler":"settle","perSecond":5}')
    expect(response.status).toBe(202)
    expect(response.headers.get('location')).toBe('/v1/redrive/redrive-1')
    const started = await client.runs.redrive({ unclaimed: true }, { reason })
    expect(await client.runs.redriveStatus(started.id)).toMatchObject({ state: 'running' })
    expect(await client.runs.stopRedrive(started.id)).toMatchObject({ state: 'stopped' })
    await expect(client.runs.redriveStatus('other')).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('controls', () => {
  it('pause and resume what there is', async () => {
    const intent = { reason: 'maintenance', actor: 'cli' }
    const pause = { what: 'handler', name: 'settle', since: 1, actor: 'cli', reason: 'maintenance' }
    expect((await client.controls.pause('handler', 'settle', intent)).paused).toEqual([pause])
    expect(await client.handlers()).toEqual([
      { name: 'settle', group: 'default', sources: ['shop'], types: ['*'], paused: pause },
    ])
    expect((await client.controls.resume('handler', 'settle', intent)).paused).toEqual([])
    expect(await client.controls.settings()).toMatchObject({ paused: [] })
    expect(await client.sources()).toEqual([{ name: 'shop', scheme: 'test', tenant: 'default', bodyBytes: 65_536 }])
    expect(await client.schedules()).toEqual([
      {
        name: 'nightly',
        group: 'default',
        cron: '0 3 * * *',
        timezone: 'Europe/Athens',
        missed: 'latest',
        nextAt: 1_764_032_400_000,
      },
    ])
    await client.controls.pause('handler', 'default/nightly', intent)
    expect(await client.schedules()).toMatchObject([{ paused: { name: 'default/nightly', reason: 'maintenance' } }])
    // A source that is not configured has events too, and a handler may be held before a deploy brings it.
    expect((await client.controls.pause('source', 'orders', intent)).matches).toEqual({ handlers: 1, sources: 0 })
    expect(await client.controls.counts()).toMatchObject({ events: 0 })
  })
})

describe('the server', () => {
  it('is well and ready', async () => {
    expect((await get('/healthz')).status).toBe(200)
    expect(await client.ready()).toBe(true)
    expect(await jsonOf(await get('/readyz'))).toEqual({ status: 'ok', store: 'memory', durability: 'relaxed' })
  })

  it('is not ready where the store cannot commit', async () => {
    hapax.failWith = new HapaxError('store_unavailable', { reason: 'database or disk is full' })
    const response = await get('/readyz')
    expect(response.status).toBe(503)
    expect(await codeOf(response)).toBe('store_unavailable')
    expect(await client.ready()).toBe(false)
    expect((await get('/healthz')).status).toBe(200)
  })

  it('answers to its own names alone', async () => {
    const { request } = await import('node:http')
    const statusFor = (host: string) =>
      new Promise((resolve, reject) => {
        request(`${server.url}/v1/events`, { headers: { host } }, (response) => {
          response.resume()
          resolve(response.statusCode)
        })
          .on('error', reject)
          .end()
      })
    expect(await statusFor('evil.example')).toBe(403)
    expect(await statusFor('localhost:1234')).toBe(200)
    expect(await statusFor('api.example.com')).toBe(403)
    const proxied = await listen(hapax, { port: 0, hosts: ['API.example.com'] })
    const status = await new Promise((resolve, reject) => {
      request(`${proxied.url}/v1/events`, { headers: { host: 'api.example.com:443' } }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
        .on('error', reject)
        .end()
    })
    expect(status).toBe(200)
    await proxied.close()
  })

  it('does not bind beyond loopback', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.com']) {
      await expect(listen(hapax, { host, port: 0 })).rejects.toMatchObject({ code: 'bind_refused' })
    }
  })

  it('takes what openapi.json says it takes, to the last millisecond, and says how it refuses a body', async () => {
    const document = await jsonOf(await get('/openapi.json'))
    const { parameters } = document.paths['/v1/events'].get
    const after: { schema: { maximum: number } } = parameters.find(({ name }: { name: string }) => name === 'after')
    expect((await get(`/v1/events?after=${after.schema.maximum}`)).status).toBe(200)
    expect((await get(`/v1/events?after=${after.schema.maximum + 1}`)).status).toBe(400)
    const response = await post(`/v1/runs/${runId}/retry`, '{"reason":"x"}', { 'content-type': 'text/plain' })
    expect(await codeOf(response)).toBe('unsupported_media_type')
    expect(Object.keys(document.paths['/v1/runs/{id}/retry'].post.responses)).toContain(String(response.status))
  })

  it('says in openapi.json, valid by its schema, what it serves', async () => {
    const document = await jsonOf(await get('/openapi.json'))
    const { valid, errors } = await new Validator().validate(document)
    expect(errors).toBeUndefined()
    expect(valid).toBe(true)
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining([
        '/in/{source}',
        '/v1/events',
        '/v1/runs/{id}/signals/{name}',
        '/readyz',
        '/openapi.json',
      ]),
    )
  })

  it('answers what is under way, then stops; the client says that nobody is there', async () => {
    const other = await listen(hapax, { port: 0 })
    const late = createClient({ url: other.url })
    expect(await late.ready()).toBe(true)
    await Promise.all([other.close(), other.close()])
    await expect(late.ready()).rejects.toMatchObject({
      code: 'server_unreachable',
      details: { reason: 'ECONNREFUSED' },
    })
  })
})
