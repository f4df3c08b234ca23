import { createHmac, generateKeyPairSync, sign as signBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { catalogue } from '../../src/errors/catalogue.ts'
import { github, hmac, standardWebhooks, stripe } from '../../src/sources/index.ts'
import type { Source, Verdict } from '../../src/sources/source.ts'
import { cases, seed } from './fuzz-run.ts'

const nowMs = 1_700_000_000_000
const now = String(nowMs / 1_000)
const secret = 'a secret of the fuzz tests'
const base64Secret = Buffer.from(secret).toString('base64')
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const rawPublicKey = Buffer.from(String(publicKey.export({ format: 'jwk' }).x), 'base64url').toString('base64')

const digest = (encoding: 'hex' | 'base64' | 'base64url', ...parts: string[]) =>
  createHmac('sha256', secret).update(parts.join('')).digest(encoding)

interface Scheme {
  readonly name: string
  readonly source: Source
  /** The header whose parser is tried. */
  readonly header: string
  /** Written by hand, not by the product. */
  genuine(body: string): Record<string, string>
  /** What must stand in the header of a request that is taken. */
  proof(body: string): string
}

const schemes: readonly Scheme[] = [
  {
    name: 'stripe',
    source: stripe({ secret }),
    header: 'stripe-signature',
    genuine: (body) => ({ 'stripe-signature': `t=${now},v1=${digest('hex', now, '.', body)},v0=ab` }),
    proof: (body) => digest('hex', now, '.', body),
  },
  {
    name: 'github',
    source: github({ secret: ['another', secret] }),
    header: 'x-hub-signature-256',
    genuine: (body) => ({ 'x-hub-signature-256': `sha256=${digest('hex', body)}`, 'x-github-delivery': 'd1' }),
    proof: (body) => digest('hex', body),
  },
  {
    name: 'standard webhooks',
    source: standardWebhooks({ secret: `whsec_${base64Secret}` }),
    header: 'webhook-signature',
    genuine: (body) => ({
      'webhook-id': 'msg_1',
      'webhook-timestamp': now,
      'webhook-signature': `v1,${digest('base64', 'msg_1.', now, '.', body)} v1a,AAAA v2,x`,
    }),
    proof: (body) => digest('base64', 'msg_1.', now, '.', body),
  },
  {
    name: 'standard webhooks, ed25519',
    source: standardWebhooks({ secret: `whpk_${rawPublicKey}` }),
    header: 'svix-signature',
    genuine: (body) => ({ 'svix-id': 'msg_1', 'svix-timestamp': now, 'svix-signature': `v1a,${ed25519(body)}` }),
    proof: (body) => ed25519(body).replace(/=+$/, ''),
  },
  {
    name: 'hmac',
    source: hmac({ secret, header: 'x-signature', id: { body: 'id' } }),
    header: 'x-signature',
    genuine: (body) => ({ 'x-signature': digest('hex', body) }),
    proof: (body) => digest('hex', body),
  },
  {
    name: 'hmac with fields',
    source: hmac({
      secret,
      header: 'x-signature',
      fields: { separator: ';', timestamp: 'ts', signature: 'h1' },
      content: '{timestamp}:{body}',
      id: { body: 'id' },
    }),
    header: 'x-signature',
    genuine: (body) => ({ 'x-signature': `ts=${now};h1=${digest('hex', now, ':', body)}` }),
    proof: (body) => digest('hex', now, ':', body),
  },
  {
    name: 'hmac of several, base64url behind a prefix',
    source: hmac({
      secret,
      header: 'x-signature',
      encoding: 'base64url',
      prefix: 'v0=',
      separator: ',',
      content: '{header:x-nonce}.{body}',
      id: { header: 'x-id' },
    }),
    header: 'x-signature',
    genuine: (body) => ({ 'x-signature': `v0=zz,${digest('base64url', 'n', '.', body)}`, 'x-nonce': 'n', 'x-id': '1' }),
    proof: (body) => digest('base64url', 'n', '.', body),
  },
]

function ed25519(body: string): string {
  return signBytes(null, Buffer.from(`msg_1.${now}.${body}`), privateKey).toString('base64')
}

async function verdict(scheme: Scheme, headers: Record<string, string>, body: string): Promise<Verdict> {
  const said = await scheme.source.verify({
    method: 'POST',
    url: `http://localhost/in/${scheme.source.name}`,
    body: Buffer.from(body),
    headers,
    receivedAtMs: nowMs,
  })
  if (!said.ok) expect(catalogue[said.code].status).toBe(401)
  return said
}

/** A header taken apart at what its parsers look for, and put together in other ways. */
const change = fc.record({
  how: fc.constantFrom('drop', 'twice', 'empty', 'upper', 'space', 'cut', 'insert', 'reverse', 'flip'),
  at: fc.nat(40),
  with: fc.oneof(
    fc.constantFrom(',', ';', '=', ' ', 't=', 'v1=', 'v1,', 't=0', 'v0', '\u0000', '\t', 'é', '=='),
    fc.constant(`t=${now}`),
    fc.string({ unit: 'binary', maxLength: 5 }),
    fc.constant('v1=ab,'.repeat(40)),
  ),
})

function changed(value: string, one: { how: string; at: number; with: string }): string {
  const parts = value.split(/([,;= ])/)
  const at = one.at % parts.length
  const part = parts[at] ?? ''
  const put = (...instead: string[]) => [...parts.slice(0, at), ...instead, ...parts.slice(at + 1)].join('')
  if (one.how === 'drop') return put()
  if (one.how === 'twice') return put(part, part)
  if (one.how === 'empty') return ''
  if (one.how === 'upper') return put(part.toUpperCase())
  if (one.how === 'space') return put(` ${part} `)
  if (one.how === 'cut') return value.slice(0, one.at)
  if (one.how === 'reverse') return parts.reverse().join('')
  if (one.how === 'insert') return put(one.with, part)
  const index = one.at % (part.length || 1)
  return put(`${part.slice(0, index)}${String.fromCharCode(part.charCodeAt(index) ^ 1)}${part.slice(index + 1)}`)
}

const body = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify({ id: 'evt_1', value: JSON.stringify(value) })),
  fc.constant('{"id":"1"}'),
)

describe.each(schemes)(`$name (seed ${seed})`, (scheme) => {
  it('takes what a genuine sender sends', async () => {
    await fc.assert(
      fc.asyncProperty(body, async (text) => {
        expect(await verdict(scheme, scheme.genuine(text), text)).toMatchObject({ ok: true })
      }),
      cases(50),
    )
  })

  it('takes a header that is written otherwise only where the signature is in it, and never throws', async () => {
    await fc.assert(
      fc.asyncProperty(body, fc.array(change, { minLength: 1, maxLength: 3 }), async (text, changes) => {
        const headers = scheme.genuine(text)
        const value = changes.reduce(changed, headers[scheme.header] ?? '')
        const said = await verdict(scheme, { ...headers, [scheme.header]: value }, text)
        if (said.ok) expect(value).toContain(scheme.proof(text))
      }),
      cases(400),
    )
  })

  it('refuses every other body, and every other value of a header that is signed', async () => {
    const others = Object.keys(scheme.genuine('')).filter(
      (name) => /-(?:id|timestamp|nonce)$/.test(name) && name !== 'x-id',
    )
    await fc.assert(
      fc.asyncProperty(body, fc.nat(), fc.string({ unit: 'binary', minLength: 1 }), async (text, at, more) => {
        const headers = scheme.genuine(text)
        const index = at % text.length
        const longer = text.slice(0, index) + more + text.slice(index)
        expect(await verdict(scheme, headers, longer)).toMatchObject({ ok: false, code: 'signature_invalid' })
        expect(await verdict(scheme, headers, text.slice(0, index))).toMatchObject({ ok: false })
        for (const name of others) {
          const said = await verdict(scheme, { ...headers, [name]: `${headers[name]}${more}` }, text)
          expect(said).toMatchObject({ ok: false })
        }
      }),
      cases(200),
    )
  })

  it('refuses any header at all that was not made with the secret', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom(...Object.keys(scheme.genuine('{}'))), fc.string({ unit: 'binary' })),
        async (headers) => {
          expect(await verdict(scheme, headers, '{}')).toMatchObject({ ok: false })
        },
      ),
      cases(200),
    )
  })
})
