import { describe, expect, it } from 'vitest'
import { fakeHapax } from '../../test/support/fake-hapax.ts'
import { signatureOf, signedSource } from '../../test/support/signed-source.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import { systemClock } from '../kit/clock.ts'
import type { Source } from '../sources/source.ts'
import { createHttpIngress, isAnswer, type RequestHead } from './http-ingress.ts'

const body = '{"id":"evt_1","type":"paid","amount":9007199254740993}'

function setUp(options: Partial<Source> = {}) {
  const hapax = fakeHapax([signedSource(options)])
  const post = async (text = body, head: Partial<RequestHead> = {}) => {
    const opened = hapax.ingress.open({
      method: 'POST',
      name: 'shop',
      url: 'http://localhost/in/shop',
      headers: { 'x-signature': signatureOf(text), 'content-type': 'application/json', cookie: 'secret' },
      ...head,
    })
    return isAnswer(opened) ? opened : opened.receive(Buffer.from(text))
  }
  return { hapax, post }
}

const codeOf = (answer: { body: string }): unknown => JSON.parse(answer.body).code

describe('http ingress', () => {
  it('answers 202 with a receipt, then 200 for the same again', async () => {
    const { post, hapax } = setUp()
    const first = await post()
    expect(first.status).toBe(202)
    expect(JSON.parse(first.body)).toMatchObject({ outcome: 'accepted', durability: 'relaxed' })
    const second = await post()
    expect(second.status).toBe(200)
    expect(JSON.parse(second.body).event).toEqual(JSON.parse(first.body).event)
    expect(hapax.kept.size).toBe(1)
  })

  it.each([200, 409] as const)('answers a conflict as its source says: %d', async (conflictStatus) => {
    const { post } = setUp({ conflictStatus })
    await post()
    const answer = await post('{"id":"evt_1","type":"paid","amount":9007199254740992}')
    expect(answer.status).toBe(conflictStatus)
    expect(JSON.parse(answer.body).outcome).toBe('conflict')
  })

  it('keeps the raw bytes, and of the headers those that are listed', async () => {
    const { post, hapax } = setUp()
    await post()
    const [event] = hapax.kept.values()
    expect(Buffer.from(event?.body ?? []).toString()).toBe(body)
    expect(event?.headers).toEqual({ 'content-type': 'application/json' })
  })

  it.each([
    ['no signature', { headers: {} }, 401, 'signature_missing'],
    ['a wrong signature', { headers: { 'x-signature': 'ab' } }, 401, 'signature_invalid'],
    ['an unknown source', { name: 'shops' }, 404, 'source_unknown'],
    ['a path below a source', { name: 'shop/x' }, 404, 'source_unknown'],
    ['an encoded name', { name: '%73hop' }, 404, 'source_unknown'],
    ['another method', { method: 'PUT' }, 405, 'method_not_allowed'],
    ['a compressed body', { headers: { 'content-encoding': 'gzip' } }, 415, 'unsupported_media_type'],
    ['a body declared too large', { headers: { 'content-length': '65537' } }, 413, 'too_large'],
  ])('refuses %s, counts it and writes nothing', async (_name, head, status, code) => {
    const { post, hapax } = setUp()
    const answer = await post(body, head)
    expect(answer.status).toBe(status)
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(codeOf(answer)).toBe(code)
    expect(hapax.rejected).toEqual([`${code === 'source_unknown' ? '(unknown)' : 'shop'} ${code}`])
    expect(hapax.kept.size).toBe(0)
  })

  it.each(['store_unavailable', 'store_busy', 'identity_in_flight', 'too_many_requests'] as const)(
    'asks to come again on %s',
    async (code) => {
      const { post, hapax } = setUp()
      hapax.failWith = new HapaxError(code)
      const answer = await post()
      expect(answer.status).toBe(code === 'too_many_requests' ? 429 : 503)
      expect(answer.headers['retry-after']).toBe('1')
    },
  )

  it('passes the id that the signature does not cover on as such', async () => {
    const source = signedSource()
    const verify: Source['verify'] = () => ({
      ok: true,
      event: { id: 'delivery', idSigned: false, type: 'push', data: {}, contentType: 'application/json' },
    })
    const seen: unknown[] = []
    const ingress = createHttpIngress({
      sources: [{ ...source, verify }],
      accept: async (event, options) => {
        seen.push(event.id, options)
        return { outcome: 'accepted', durability: 'relaxed', event: { key: '0', acceptedAt: 0 }, runs: [] }
      },
      clock: systemClock,
    })
    const opened = ingress.open({ method: 'POST', name: 'shop', url: '', headers: {} })
    if (isAnswer(opened)) expect.unreachable()
    else await opened.receive(Buffer.from('{}'))
    expect(seen).toEqual(['delivery', expect.objectContaining({ idSigned: false })])
  })

  it("answers a provider's challenge without accepting", async () => {
    const { post, hapax } = setUp({
      verify: () => ({ ok: true, answer: { status: 200, headers: { 'content-type': 'text/plain' }, body: 'yes' } }),
    })
    expect(await post()).toMatchObject({ status: 200, body: 'yes' })
    expect(hapax.kept.size).toBe(0)
  })

  it('says nothing of an error that nobody foresaw', async () => {
    const { post } = setUp({
      verify: () => {
        throw new TypeError('secret of the sender')
      },
    })
    const answer = await post()
    expect(answer.status).toBe(500)
    expect(answer.body).not.toContain('secret')
    expect(codeOf(answer)).toBe('internal')
  })
})
