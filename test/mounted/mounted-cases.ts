import { expect, it } from 'vitest'
import { signatureOf } from '../support/signed-source.ts'

/** What a mounted Hapax is asked. */
export interface Mounted {
  /** Where it is mounted: `{base}/in/{source}` is its own. */
  readonly base: string
  /** Ids that were accepted. */
  accepted(): string[]
}

const bodyOf = (id: string, padding = '') => JSON.stringify({ id, type: 'paid', text: ` \u00e4 ${padding}` })

/** A signed request. */
export function signed(body: string): RequestInit {
  return { method: 'POST', body, headers: { 'content-type': 'application/json', 'x-signature': signatureOf(body) } }
}

/** Cases that hold wherever Hapax is mounted, all over real HTTP. */
export function mountedCases(mounted: () => Mounted): void {
  it('accepts what is signed over its raw bytes, once', async () => {
    const { base, accepted } = mounted()
    const url = `${base}/in/shop?from=provider`
    const first = await fetch(url, signed(bodyOf('evt_1')))
    expect(first.status).toBe(202)
    expect(await first.json()).toMatchObject({ outcome: 'accepted' })
    const second = await fetch(url, signed(bodyOf('evt_1')))
    expect(second.status).toBe(200)
    expect(await second.json()).toMatchObject({ outcome: 'duplicate' })
    expect(accepted()).toEqual(['evt_1'])
  })

  it('refuses a wrong signature, an unknown source and another method with problems', async () => {
    const { base, accepted } = mounted()
    const before = accepted()
    const wrong = await fetch(`${base}/in/shop`, { ...signed(bodyOf('evt_2')), headers: { 'x-signature': 'ab' } })
    const unknown = await fetch(`${base}/in/nobody`, signed(bodyOf('evt_2')))
    const method = await fetch(`${base}/in/shop`)
    expect([wrong.status, unknown.status, method.status]).toEqual([401, 404, 405])
    for (const response of [wrong, unknown, method]) {
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      await response.body?.cancel()
    }
    expect(accepted()).toEqual(before)
  })

  it('reads a body in many parts, up to the limit of its source', async () => {
    const { base, accepted } = mounted()
    const inParts = (id: string, length: number) => {
      const body = bodyOf(id, 'x'.repeat(length))
      const bytes = Buffer.from(body)
      const parts = new ReadableStream({
        pull(controller) {
          const part = bytes.subarray(sent, sent + 8_000)
          sent += part.length
          if (part.length > 0) controller.enqueue(new Uint8Array(part))
          else controller.close()
        },
      })
      let sent = 0
      return fetch(`${base}/in/shop`, { ...signed(body), body: parts, duplex: 'half' })
    }
    expect((await inParts('evt_3', 60_000)).status).toBe(202)
    const tooLarge = await inParts('evt_4', 70_000)
    expect(tooLarge.status).toBe(413)
    expect(await tooLarge.json()).toMatchObject({ code: 'too_large' })
    expect(accepted()).toContain('evt_3')
    expect(accepted()).not.toContain('evt_4')
  })
}

/** What stands behind a body parser that came first. */
export async function expectRawBodyMissing(url: string): Promise<void> {
  const response = await fetch(url, signed(bodyOf('evt_9')))
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ code: 'raw_body_missing' })
}
