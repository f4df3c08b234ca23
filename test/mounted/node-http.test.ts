import { createServer } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toNodeListener } from '../../src/ingress/to-node-listener.ts'
import { fakeHapax } from '../support/fake-hapax.ts'
import { signedSource } from '../support/signed-source.ts'
import { listening } from './listening.ts'
import { type Mounted, mountedCases } from './mounted-cases.ts'

describe('mounted in node:http', () => {
  const hapax = fakeHapax([signedSource()])
  const server = createServer(toNodeListener(hapax))
  let mounted: Mounted

  beforeAll(async () => {
    mounted = { base: await listening(server), accepted: () => [...hapax.kept.values()].map(({ id }) => id) }
  })
  afterAll(() => {
    server.close()
  })

  mountedCases(() => mounted)

  it('answers 404 to other paths', async () => {
    const response = await fetch(`${mounted.base}/other`)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ code: 'not_found' })
  })
})
