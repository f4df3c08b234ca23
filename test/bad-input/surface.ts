import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { createHapax, type Hapax } from '../../src/index.ts'
import { type HapaxServer, listen } from '../../src/server/server.ts'
import { stripe } from '../../src/sources/index.ts'
import { signatureOf, signedSource } from '../support/signed-source.ts'

/** Of the webhooks of Stripe. */
export const secret = 'whsec_of_tests'
/** Of this file's stores. */
export const folder = mkdtempSync(join(tmpdir(), 'hapax-bad-input-'))
/** What takes the events: one of its own in each test file. */
export let hapax: Hapax
export let server: HapaxServer
/** The same Hapax behind short timeouts. */
export let hasty: HapaxServer

beforeAll(async () => {
  hapax = await createHapax({
    store: `sqlite:${join(folder, 'hapax.db')}`,
    sources: [signedSource(), signedSource({ name: 'bulk', bodyBytes: 4_194_304 }), stripe({ secret })],
  })
  server = await listen(hapax, { port: 0 })
  hasty = await listen(hapax, { port: 0, headersTimeout: '200ms', requestTimeout: '400ms' })
})

afterAll(async () => {
  await Promise.all([server.close(), hasty.close()])
  await hapax.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** How many events are on record. */
export const kept = async () => (await hapax.controls.counts()).events
/** How many requests were turned away for this reason. */
export async function rejected(code: string): Promise<number> {
  const { rejected } = await hapax.controls.counts()
  return rejected.filter((one) => one.code === code).reduce((sum, { count }) => sum + count, 0)
}
/** Whatever came before: nothing is written, no bytes are held, and the next good event is taken. */
export async function expectUnharmed(events: number): Promise<void> {
  expect(await kept()).toBe(events)
  expect(hapax.ingress.budget.heldBytes).toBe(0)
  const body = JSON.stringify({ id: `good-${events}`, type: 'paid' })
  const response = await fetch(`${server.url}/in/shop`, {
    method: 'POST',
    body,
    headers: { 'x-signature': signatureOf(body) },
  })
  expect(response.status).toBe(202)
  expect(await kept()).toBe(events + 1)
}

/** A request. */
export type Sent = { readonly body: string | Uint8Array<ArrayBuffer>; readonly headers?: Record<string, string> }

/** Sends it as a provider does. */
export const viaIngress = ({ body, headers = {} }: Sent) =>
  fetch(`${server.url}/in/shop`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', 'x-signature': signatureOf(body), ...headers },
  })
/** Sends it as an application does, by CloudEvents. */
export const viaEvents = ({ body, headers = {} }: Sent) =>
  fetch(`${server.url}/v1/events`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/cloudevents+json', ...headers },
  })

/** Refused so, in the words of the API, and telling nothing of the inside. */
export async function expectProblem(response: Response, status: number, code: string, secret?: string): Promise<void> {
  const text = await response.text()
  expect({ status: response.status, code: JSON.parse(text).code }).toEqual({ status, code })
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  expect(text).not.toContain('    at ')
  if (secret !== undefined) expect(text).not.toContain(secret)
}
