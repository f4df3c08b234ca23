import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type FakeHapax, fakeHapax } from '../../../test/support/fake-hapax.ts'
import { createClient, type HapaxClient } from '../../client/http-client.ts'
import { HapaxError } from '../../errors/hapax-error.ts'
import { type HapaxServer, listen } from '../server.ts'

let hapax: FakeHapax
let server: HapaxServer
let client: HapaxClient
const reason = 'they asked'

beforeAll(async () => {
  hapax = fakeHapax([])
  server = await listen(hapax, { port: 0 })
  client = createClient({ url: server.url })
})

beforeEach(() => {
  hapax.asked.length = 0
  hapax.failWith = undefined
})

afterAll(() => server.close())

const post = async (path: string, body: string) => {
  const response = await fetch(`${server.url}/v1/dependencies/${path}`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  })
  return { status: response.status, code: JSON.parse(await response.text()).code }
}

describe('dependencies over HTTP', () => {
  it('are listed, and shown one by one; an unknown name is 404', async () => {
    const bank = { name: 'bank', circuit: 'closed', limits: { rate: 100 }, handlers: ['settle'] }
    expect(await client.controls.dependencies()).toMatchObject([bank])
    expect(await client.controls.dependency('bank')).toMatchObject({
      ...bank,
      here: { waiting: 0, active: 1, calls: 7, failures: 2 },
    })
    await expect(client.controls.dependency('bnak')).rejects.toMatchObject({ code: 'not_found', status: 404 })
  })

  it('are opened, closed and limited with all that was said', async () => {
    expect(await client.controls.open('bank/2', { reason })).toMatchObject({ name: 'bank/2', circuit: 'open' })
    expect(await client.controls.close('bank', { reason, actor: 'cli' })).toMatchObject({ circuit: 'closed' })
    await client.controls.limit('bank', { rate: '50/s', concurrency: 5 }, { reason, actor: 'cli' })
    await client.controls.limit('bank', { rate: 0.5 }, { reason })
    await client.controls.limit('bank', {}, { reason })
    expect(hapax.asked).toEqual([
      { verb: 'open', id: 'bank/2', detail: { reason, actor: 'http' } },
      { verb: 'close', id: 'bank', detail: { reason, actor: 'cli' } },
      { verb: 'limit', id: 'bank', detail: { rate: '50/s', concurrency: 5, reason, actor: 'cli' } },
      { verb: 'limit', id: 'bank', detail: { rate: '0.5/s', concurrency: undefined, reason, actor: 'http' } },
      { verb: 'limit', id: 'bank', detail: { rate: undefined, concurrency: undefined, reason, actor: 'http' } },
    ])
  })

  it('are paused and resumed like handlers and sources', async () => {
    expect(await client.controls.pause('dependency', 'bank', { reason })).toMatchObject({
      paused: [{ what: 'dependency', name: 'bank', reason, actor: 'http' }],
    })
    expect(await client.controls.resume('dependency', 'bank', { reason })).toMatchObject({ paused: [] })
  })

  it.each(['open', 'close', 'limits', 'pause', 'resume'])('%s needs a reason', async (verb) => {
    for (const body of ['', '{}', '{"reason":" "}', '{"reason":null}'])
      expect(await post(`bank/${verb}`, body)).toEqual({ status: 400, code: 'reason_required' })
    expect(hapax.asked).toEqual([])
  })

  it.each([
    '"rate":"fast"',
    '"rate":"0/s"',
    '"rate":"-1/s"',
    '"rate":5',
    `"rate":"${'1'.repeat(40)}/s"`,
    '"concurrency":0',
    '"concurrency":1.5',
    '"concurrency":"many"',
    '"concurency":5',
  ])('limits refuses %s, and sets nothing', async (member) => {
    expect(await post('bank/limits', `{"reason":"x",${member}}`)).toEqual({ status: 400, code: 'invalid_query' })
    expect(hapax.asked).toEqual([])
  })

  it('says of a circuit that others turn all the time to ask again', async () => {
    hapax.failWith = new HapaxError('store_busy', { reason: 'turned by others' })
    expect(await post('bank/open', '{"reason":"x"}')).toEqual({ status: 503, code: 'store_busy' })
  })
})
