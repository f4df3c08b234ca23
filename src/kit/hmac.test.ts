import { createHmac } from 'node:crypto'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { HmacKey } from './hmac.ts'

const part = fc.oneof(fc.string({ unit: 'binary' }), fc.uint8Array({ maxLength: 300 }))

it('makes what node:crypto makes, with keys shorter and longer than a block', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.array(part, { maxLength: 4 }),
      fc.constantFrom('sha256', 'sha1', 'sha512'),
      fc.constantFrom('hex' as const, 'base64' as const, 'base64url' as const),
      (key, parts, algorithm, encoding) => {
        const hmac = createHmac(algorithm, key)
        for (const one of parts) hmac.update(one)
        expect(new HmacKey(key).digest(algorithm, parts, encoding)).toBe(hmac.digest(encoding))
      },
    ),
  )
})

it('takes messages of any size', () => {
  for (const size of [64 * 1_024 - 64, 64 * 1_024, 1_000_000]) {
    const message = Buffer.alloc(size, 'x')
    const wanted = createHmac('sha256', 'key').update(message).digest('hex')
    expect(new HmacKey(Buffer.from('key')).digest('sha256', [message], 'hex')).toBe(wanted)
    expect(new HmacKey(Buffer.from('key')).digest('sha256', [message.toString()], 'hex')).toBe(wanted)
  }
})

it('shows its bytes to nobody', () => {
  const key = new HmacKey(Buffer.from('whsec_of_somebody'))
  expect(inspect(key, { showHidden: true, depth: 9 }) + JSON.stringify(key)).not.toMatch(/whsec|77 68 73|119,/)
})
