import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createFetchIngress } from '../../src/ingress/fetch-ingress.ts'
import { fakeHapax } from '../support/fake-hapax.ts'
import { signedSource } from '../support/signed-source.ts'
import { listening } from './listening.ts'
import { expectRawBodyMissing, type Mounted, mountedCases, signed } from './mounted-cases.ts'

describe('mounted in Hono 4', () => {
  const hapax = fakeHapax([signedSource()])
  const serve = createFetchIngress(hapax.ingress)
  const app = new Hono()
  app.all('/hooks/in/*', (context) => serve(context.req.raw))
  app.post('/late/in/*', async (context) => {
    await context.req.raw.text()
    return serve(context.req.raw)
  })
  app.get('/own', (context) => context.text('own'))
  const server = createAdaptorServer({ fetch: app.fetch })
  let mounted: Mounted

  beforeAll(async () => {
    if (!('closeIdleConnections' in server)) throw new TypeError('an HTTP/1.1 server was expected')
    const base = `${await listening(server)}/hooks`
    mounted = { base, accepted: () => [...hapax.kept.values()].map(({ id }) => id) }
  })
  afterAll(() => {
    server.close()
  })

  mountedCases(() => mounted)

  it("leaves the app's own routes alone", async () => {
    expect(await (await fetch(new URL('/own', mounted.base))).text()).toBe('own')
  })

  it('says where the body was read before', () => expectRawBodyMissing(`${mounted.base}/../late/in/shop`))
})

describe('fetch alone', () => {
  it('serves a Request without any server', async () => {
    const hapax = fakeHapax([signedSource()])
    const serve = createFetchIngress(hapax.ingress)
    const response = await serve(new Request('http://x/in/shop', signed('{"id":"1"}')))
    expect(response.status).toBe(202)
    expect((await serve(new Request('http://x/else'))).status).toBe(404)
    expect(hapax.ingress.budget.heldBytes).toBe(0)
  })

  it('reads no further than the limit', async () => {
    const hapax = fakeHapax([signedSource()])
    const serve = createFetchIngress(hapax.ingress)
    let sent = 0
    const endless = new ReadableStream({
      pull(controller) {
        sent += 10_000
        controller.enqueue(new Uint8Array(10_000))
      },
    })
    const response = await serve(new Request('http://x/in/shop', { method: 'POST', body: endless, duplex: 'half' }))
    expect(response.status).toBe(413)
    expect(sent).toBeLessThanOrEqual(90_000)
  })
})
