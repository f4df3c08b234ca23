import { describe, expect, it } from 'vitest'
import { github } from './github.ts'
import type { OutgoingMessage } from './source.ts'

const source = github({ secret: ['now', 'before'], orderKey: (event) => event.data.repository?.full_name })

async function verdictOn(
  body: string,
  { changes = {}, ...message }: Partial<OutgoingMessage> & { changes?: Record<string, string | undefined> } = {},
) {
  const bytes = Buffer.from(body)
  const signed = source.sign?.({ body: bytes, nowMs: 0, id: 'guid-1', type: 'issues', ...message })
  return source.verify({ method: 'POST', url: '/', body: bytes, headers: { ...signed, ...changes }, receivedAtMs: 0 })
}

describe('github', () => {
  it("names the event's action, and says that the id is not signed", async () => {
    const body = '{"action":"opened","repository":{"full_name":"o/r"}}'
    expect(await verdictOn(body)).toMatchObject({
      ok: true,
      event: { id: 'guid-1', idSigned: false, type: 'issues.opened', subject: 'o/r', data: JSON.parse(body) },
    })
    expect(await verdictOn('{"ref":"main"}', { type: 'push' })).toMatchObject({ event: { type: 'push' } })
    expect(await verdictOn('{"zen":"…","hook_id":1}', { type: 'ping' })).toMatchObject({ event: { type: 'ping' } })
    expect(source).toMatchObject({ replayWindowMs: 259_200_000, conflictStatus: 200, fingerprintWithout: [] })
  })

  it('takes the old secret while it is changed', async () => {
    const body = Buffer.from('{}')
    const headers = github({ secret: 'before' }).sign?.({ body, nowMs: 0 }) ?? {}
    expect(await source.verify({ method: 'POST', url: '/', body, headers, receivedAtMs: 0 })).toMatchObject({
      ok: true,
    })
  })

  it('takes forms as string maps, and reads the action inside', async () => {
    const body = `payload=${encodeURIComponent('{"action":"closed","repository":{"full_name":"o/r"}}')}`
    const verdict = await verdictOn(body, { changes: { 'content-type': 'application/x-www-form-urlencoded' } })
    expect(verdict).toMatchObject({ ok: true, event: { type: 'issues.closed', subject: 'o/r' } })
    if (!verdict.ok || !('event' in verdict)) return expect.unreachable()
    expect(Object.keys(Object(verdict.event.data))).toEqual(['payload'])
    expect(source.orderKey?.({ type: 'issues.closed', data: verdict.event.data })).toBe('o/r')
  })

  it.each([
    ['none', undefined, 'signature_missing'],
    ['empty', '', 'signature_missing'],
    ['without prefix', 'ea00a0', 'signature_invalid'],
    ['of SHA-1', 'sha1=ea00a0', 'signature_invalid'],
  ])('refuses a signature %s', async (_name, value, code) => {
    expect(await verdictOn('{}', { changes: { 'x-hub-signature-256': value } })).toMatchObject({ ok: false, code })
  })

  it('leaves events of no repository unordered', () => {
    expect(source.orderKey?.({ type: 'organization', data: { organization: {} } })).toBeUndefined()
    expect(source.orderKey?.({ type: 'x', data: { repository: { full_name: 3 } } })).toBeUndefined()
  })
})
