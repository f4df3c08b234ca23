import { Webhook } from 'standardwebhooks'
import { afterEach, describe, expect, it } from 'vitest'
import { type Received, receiver } from '../../test/support/receiver.ts'
import type { Alert, AlertMeans } from '../event/alert.ts'
import { systemClock } from '../kit/clock.ts'
import { silentLog } from '../kit/log.ts'
import type { RawRequest } from '../sources/source.ts'
import { standardWebhooks } from '../sources/standard-webhooks.ts'
import { webhookAlert } from './webhook-alert.ts'

const secret = `whsec_${Buffer.from('a secret of twenty-four b').toString('base64')}`
const next = `whsec_${Buffer.from('another, of twenty-four b').toString('base64')}`
const alert: Alert = {
  id: 'alert_node_1',
  kind: 'run_dead',
  subject: 'settle',
  message: 'A run of settle is dead: attempts_exhausted.',
  at: 1_764_000_000_000,
  count: 3,
  group: 'default',
  node: 'default-node',
  details: { run: 'run-1' },
}
const means = (signal = new AbortController().signal): AlertMeans => ({
  signal,
  log: silentLog,
  now: () => systemClock.now(),
})
/** The newest request, as a source is given it. */
const rawOf = (url: string, one: Received | undefined): RawRequest => ({
  method: 'POST',
  url,
  body: one?.body ?? Buffer.alloc(0),
  headers: headersOf(one),
  receivedAtMs: systemClock.now(),
})
const headersOf = (one: Received | undefined) =>
  Object.fromEntries(Object.entries(one?.headers ?? {}).map(([name, value]) => [name, String(value)]))
const open: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})
const receiving = async (...statuses: number[]) => {
  const opened = await receiver(...statuses)
  open.push(opened.close)
  return opened
}

describe('an alert over HTTP', () => {
  it('is signed as Standard Webhooks has it, and read by our own source and by its SDK', async () => {
    const { url, received } = await receiving()
    await webhookAlert({ url: `${url}/hook?of=ops`, secret, headers: { authorization: 'Bearer x' } }).send(
      alert,
      means(),
    )
    const [request] = received
    expect(request).toMatchObject({
      method: 'POST',
      path: '/hook?of=ops',
      headers: { authorization: 'Bearer x', 'content-type': 'application/json', 'webhook-id': 'alert_node_1' },
    })
    const body = request?.body ?? Buffer.alloc(0)
    expect(JSON.parse(body.toString())).toEqual({
      type: 'hapax.run_dead',
      timestamp: '2025-11-24T16:00:00.000Z',
      data: alert,
    })
    const raw = rawOf(url, request)
    expect(await standardWebhooks({ secret }).verify(raw)).toMatchObject({
      ok: true,
      event: { id: 'alert_node_1', idSigned: true, type: 'hapax.run_dead' },
    })
    expect(await standardWebhooks({ secret: next }).verify(raw)).toMatchObject({ code: 'signature_invalid' })
    expect(new Webhook(secret).verify(body, headersOf(request))).toMatchObject({ type: 'hapax.run_dead' })
  })

  it('is signed with each secret while one replaces another, and not where there is none', async () => {
    const { url, received } = await receiving()
    await webhookAlert({ url, secret: [next, secret] }).send(alert, means())
    await webhookAlert({ url }).send(alert, means())
    for (const one of [secret, next]) {
      expect(await standardWebhooks({ secret: one }).verify(rawOf(url, received[0]))).toMatchObject({ ok: true })
    }
    expect(received[1]?.headers).not.toHaveProperty('webhook-signature')
    expect(received[1]?.headers).toMatchObject({ 'webhook-id': 'alert_node_1' })
  })

  it.each([302, 400, 503])('is a failure where it is answered %i, and goes nowhere else', async (status) => {
    const { url, received } = await receiving(status)
    await expect(webhookAlert({ url }).send(alert, means())).rejects.toMatchObject({
      code: 'alert_undelivered',
      details: { reason: `it answered ${status}` },
    })
    expect(received).toHaveLength(1)
  })

  it('is a failure where nobody listens, or its time is over; the address is not told', async () => {
    const gone = await receiver()
    await gone.close()
    const nobody = await webhookAlert({ url: `${gone.url}/s3cr3t` })
      .send(alert, means())
      .catch((error: Error) => error)
    expect(nobody).toMatchObject({ code: 'alert_undelivered', details: { reason: 'ECONNREFUSED' } })
    expect(String(nobody)).not.toContain('s3cr3t')
    const { url } = await receiving()
    const over = await webhookAlert({ url })
      .send(alert, means(AbortSignal.abort()))
      .catch((error: Error) => error)
    expect(over).toMatchObject({ code: 'alert_undelivered', details: { reason: 'no connection' } })
  })

  it('goes by the fetch that is given', async () => {
    const asked: unknown[] = []
    const fetch = async (url: string, init: RequestInit) => {
      asked.push(url, init.method)
      return new Response('ok')
    }
    await webhookAlert({ url: 'https://ops.example/hook', fetch }).send(alert, means())
    expect(asked).toEqual(['https://ops.example/hook', 'POST'])
  })
})

describe('what is wrong with its options', () => {
  it.each([
    ['url', { url: 'ops.example/s3cr3t' }],
    ['url', { url: 'ftp://ops.example/s3cr3t' }],
    ['url', { url: 'https://s3cr3t@ops.example' }],
    ['url', { url: 'https://:s3cr3t@ops.example' }],
    ['headers', { url: 'https://ops.example', headers: { authorization: 's3cr3t\n' + 's3cr3t' } }],
    ['secret', { url: 'https://ops.example', secret: 's3cr3t!' }],
    ['secret', { url: 'https://ops.example', secret: [] }],
  ])('is said of %s, without its value', (name, options) => {
    let said = ''
    try {
      webhookAlert(options)
    } catch (error) {
      said = String(error)
      expect(error).toMatchObject({ code: 'config_invalid' })
    }
    expect(said).toContain(`webhookAlert(): ${name}: `)
    expect(said).not.toContain('s3cr3t')
  })
})
