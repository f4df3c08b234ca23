import { describe, expect, it } from 'vitest'
import { RawConnection, rawRequest } from '../support/raw-http.ts'
import { signatureOf } from '../support/signed-source.ts'
import { expectProblem, expectUnharmed, hapax, hasty, kept, server, viaEvents } from './surface.ts'

describe('size', () => {
  const head = (fields: string) => `POST /in/shop HTTP/1.1\r\nhost: localhost\r\nx-signature: ab\r\n${fields}\r\n\r\n`

  it('declared above the limit: 413 before a byte of it is read', async () => {
    const before = await kept()
    const answer = await rawRequest(server.url, head('content-length: 10000000000'))
    expect(answer.status).toBe(413)
    expect(answer.head).toMatch(/^connection: close/im)
    await expectUnharmed(before)
  })

  it('chunked without an end: 413 at the limit, then the connection is closed', async () => {
    const before = await kept()
    const connection = await RawConnection.open(server.url)
    await connection.send(head('transfer-encoding: chunked'))
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`
    let answered = false
    const answer = connection.answer().then((found) => {
      answered = true
      return found
    })
    let sent = 0
    while (!answered && sent < 64) {
      await connection.send(chunk)
      sent += 1
    }
    expect((await answer).status).toBe(413)
    // Goes on sending for ever: is cut.
    while (!connection.isClosed) await connection.send(chunk)
    await expectUnharmed(before)
  })

  it('of the API: 413 too', async () => {
    const before = await kept()
    await expectProblem(await viaEvents({ body: `"${'x'.repeat(1_100_000)}"` }), 413, 'too_large')
    await expectUnharmed(before)
  })

  it.each([
    ['17 kB of headers', `x-long: ${'x'.repeat(17_000)}\r\n`],
    ['3,000 headers', 'a: b\r\n'.repeat(3_000)],
    ['150 headers', Array.from({ length: 150 }, (_, index) => `x-${index}: 1\r\n`).join('')],
  ])('%s: 431, closed', async (_name, fields) => {
    const before = await kept()
    for (const route of ['/in/shop', '/v1/events']) {
      const answer = await rawRequest(
        server.url,
        `POST ${route} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n${fields}\r\n`,
      )
      expect(answer.status).toBe(431)
      expect(JSON.parse(answer.body).code).toBe('headers_too_large')
    }
    await expectUnharmed(before)
  })
})

describe('framing', () => {
  const body = '{"id":"framed"}'
  const signature = signatureOf(body)

  it.each([
    ['two content-lengths', `content-length: ${body.length}\r\ncontent-length: 5\r\n`],
    ['two equal content-lengths', `content-length: ${body.length}\r\ncontent-length: ${body.length}\r\n`],
    ['content-length beside transfer-encoding', `content-length: ${body.length}\r\ntransfer-encoding: chunked\r\n`],
    ['a content-length that is no number', 'content-length: 1e1\r\n'],
    ['a negative content-length', 'content-length: -1\r\n'],
    ['a folded header', `x-folded: a\r\n b\r\ncontent-length: ${body.length}\r\n`],
    ['a bare CR in a header', `x-cr: a\rb: c\r\ncontent-length: ${body.length}\r\n`],
    ['a NUL in a header', `x-nul: a\u0000b\r\ncontent-length: ${body.length}\r\n`],
    ['a space before the colon', `x-space : a\r\ncontent-length: ${body.length}\r\n`],
    ['no host', undefined],
  ])('%s: 400, closed', async (_name, fields) => {
    const before = await kept()
    const host = fields === undefined ? '' : 'host: localhost\r\n'
    const connection = await RawConnection.open(server.url)
    await connection.send(
      `POST /in/shop HTTP/1.1\r\n${host}x-signature: ${signature}\r\n${fields ?? `content-length: ${body.length}\r\n`}\r\n${body}`,
    )
    expect((await connection.answer()).status).toBe(400)
    await connection.closed()
    await expectUnharmed(before)
  })

  it('no HTTP at all: 400, closed', async () => {
    const before = await kept()
    const answer = await rawRequest(server.url, '\u0016\u0003\u0001\r\n\r\n')
    expect(answer.status).toBe(400)
    await expectUnharmed(before)
  })

  it('a sender that goes away in the middle leaves nothing', async () => {
    const before = await kept()
    const connection = await RawConnection.open(server.url)
    await connection.send(
      `POST /in/shop HTTP/1.1\r\nhost: localhost\r\nx-signature: ${signature}\r\ncontent-length: 99\r\n\r\n{"id`,
    )
    connection.destroy()
    await connection.closed()
    await expect.poll(() => hapax.ingress.budget.heldBytes).toBe(0)
    await expectUnharmed(before)
  })
})

describe('slow senders', () => {
  it.each([
    ['headers', 'POST /in/shop HTTP/1.1\r\nhost: loc'],
    ['bodies', 'POST /in/shop HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n{"id'],
    ['bodies of the API', 'POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n{"id'],
  ])('of %s are cut, while others are served', async (_name, start) => {
    const before = await kept()
    const connection = await RawConnection.open(hasty.url)
    await connection.send(start)
    const answer = await connection.answer()
    expect([408, undefined]).toContain(answer.status)
    await connection.closed()
    await expectUnharmed(before)
  })
})

describe('paths', () => {
  it.each([
    '/in/nobody',
    '/in/',
    '/in/shop/',
    '/in//shop',
    '/in/shop/../shop',
    '/in/../v1/events',
    '/in/%2e%2e',
    '/in/%00',
    '/in/shop%00',
    '/in/shop%2f',
    '/in/__proto__',
    '/in/constructor',
    '/in/SHOP',
    `/in/${'x'.repeat(5_000)}`,
  ])('%s: 404, the same as for any unknown source', async (path) => {
    const before = await kept()
    const body = '{"id":"path"}'
    const request = (target: string) =>
      rawRequest(
        server.url,
        `POST ${target} HTTP/1.1\r\nhost: localhost\r\nx-signature: ${signatureOf(body)}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      )
    const answer = await request(path)
    expect(answer.status).toBe(404)
    expect(answer.body).toBe((await request('/in/other')).body)
    await expectUnharmed(before)
  })
})
