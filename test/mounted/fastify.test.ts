import fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toNodeListener } from '../../src/ingress/to-node-listener.ts'
import { fakeHapax } from '../support/fake-hapax.ts'
import { signedSource } from '../support/signed-source.ts'
import { expectRawBodyMissing, type Mounted, mountedCases } from './mounted-cases.ts'

describe('mounted in Fastify 5', () => {
  const hapax = fakeHapax([signedSource()])
  const listener = toNodeListener(hapax)
  const app = fastify()
  // Before parsing: what is Hapax's own never reaches a parser, all else goes on.
  app.addHook('onRequest', (request, reply, done) => {
    if (request.url.startsWith('/late')) done()
    else listener(request.raw, reply.raw, done)
  })
  app.post('/own', async (request) => ({ got: request.body }))
  app.post('/late/in/:source', (request, reply) => {
    reply.hijack()
    listener(request.raw, reply.raw)
  })
  let mounted: Mounted

  beforeAll(async () => {
    const base = await app.listen({ host: '127.0.0.1', port: 0 })
    mounted = { base, accepted: () => [...hapax.kept.values()].map(({ id }) => id) }
  })
  afterAll(() => app.close())

  mountedCases(() => mounted)

  it("leaves the app's own routes alone", async () => {
    const response = await fetch(`${mounted.base}/own`, {
      method: 'POST',
      body: '{"a":1}',
      headers: { 'content-type': 'application/json' },
    })
    expect(await response.json()).toEqual({ got: { a: 1 } })
  })

  it('says where a body parser came first', () => expectRawBodyMissing(`${mounted.base}/late/in/shop`))
})
