import { createServer } from 'node:http'
import express from 'express'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toNodeListener } from '../../src/ingress/to-node-listener.ts'
import { fakeHapax } from '../support/fake-hapax.ts'
import { signedSource } from '../support/signed-source.ts'
import { listening } from './listening.ts'
import { expectRawBodyMissing, type Mounted, mountedCases } from './mounted-cases.ts'

describe('mounted in Express 5', () => {
  const urls: string[] = []
  const source = signedSource()
  const hapax = fakeHapax([
    {
      ...source,
      verify(request) {
        urls.push(request.url)
        return source.verify(request)
      },
    },
  ])
  const app = express()
  app.use('/hooks', toNodeListener(hapax))
  app.use(express.json())
  app.use('/late', toNodeListener(hapax))
  app.post('/own', (request, response) => {
    response.json({ got: request.body })
  })
  const server = createServer(app)
  let mounted: Mounted

  beforeAll(async () => {
    const base = `${await listening(server)}/hooks`
    mounted = { base, accepted: () => [...hapax.kept.values()].map(({ id }) => id) }
  })
  afterAll(() => {
    server.close()
  })

  mountedCases(() => mounted)

  it('sees the URL as the sender called it', () => {
    expect(urls[0]).toBe(`${mounted.base}/in/shop?from=provider`)
  })

  it("leaves the app's own routes alone", async () => {
    const response = await fetch(new URL('/own', mounted.base), {
      method: 'POST',
      body: '{"a":1}',
      headers: { 'content-type': 'application/json' },
    })
    expect(await response.json()).toEqual({ got: { a: 1 } })
  })

  it('says where a body parser came first', () => expectRawBodyMissing(`${mounted.base}/../late/in/shop`))
})
