import { createHmac, timingSafeEqual } from 'node:crypto'
import { parseStrictJson } from '../../src/kit/strict-json.ts'
import type { Source } from '../../src/sources/source.ts'

const secret = 'a secret of tests'

/** A source as small as one can be: HMAC-SHA256 in hex over the raw bytes, id and type in the body. */
export function signedSource(options: Partial<Source> = {}): Source {
  return {
    name: 'shop',
    scheme: 'test',
    tenant: 'default',
    bodyBytes: 65_536,
    fingerprintWithout: [],
    identity: undefined,
    replayWindowMs: 0,
    conflictStatus: 200,
    orderKey: undefined,
    verify({ body, headers }) {
      const given = headers['x-signature']
      if (given === undefined) return { ok: false, code: 'signature_missing' }
      if (!timingSafeEqual(digest(given), digest(signatureOf(body)))) return { ok: false, code: 'signature_invalid' }
      const { value } = parseStrictJson(body)
      const field = (name: string) => {
        const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
        return typeof found === 'string' ? found : undefined
      }
      const id = field('id')
      const event = { idSigned: true, type: field('type') ?? 'test', data: value, contentType: 'application/json' }
      return { ok: true, event: id === undefined ? event : { ...event, id } }
    },
    ...options,
  }
}

/** What a sender puts into `x-signature`. */
export function signatureOf(body: string | Uint8Array): string {
  return createHmac('sha256', secret).update(body).digest('hex')
}

function digest(text: string): Buffer {
  return createHmac('sha256', 'compare').update(text).digest()
}
