import { describe, expect, it } from 'vitest'
import { client, errorOf } from '../../test/support/calls.ts'
import { dependency } from './dependency.ts'
import type { FetchOptions } from './fetch-request.ts'

describe('what cannot be sent', () => {
  it('is the mistake of the code that asks, and no call', async () => {
    const { fetch, state } = client({ circuit: { failures: 1 } })
    const wrong: [string, FetchOptions][] = [
      ['not a url', {}],
      ['file:///etc/hosts', {}],
      ['http://127.0.0.1/', { headers: { 'x-secret': 'a\nb' } }],
      ['http://127.0.0.1/', { method: 'POST', cache: '5m' }],
      // @ts-expect-error code without types
      ['http://127.0.0.1/', { cache: 'no-store' }],
      ['http://127.0.0.1/', { timeout: 0 }],
    ]
    for (const [url, init] of wrong) {
      const error = await errorOf(fetch(url, init))
      expect(error, url).toMatchObject({ code: 'fetch_invalid', details: { dependency: 'bank' } })
      expect(String(error)).not.toMatch(/a\nb|hosts/)
    }
    expect(state.use.calls).toBe(0)
  })

  it('is nothing outside a run', async () => {
    await expect(dependency('bank').fetch('http://127.0.0.1/')).rejects.toMatchObject({ code: 'no_run' })
  })

  it('is told at once where a dependency is declared wrongly', () => {
    // @ts-expect-error code without types
    expect(() => dependency('bank', { statuses: { 200: 'fatal', 404: 'gone' }, fetch: 'node-fetch' })).toThrow(
      /300 to 599[\s\S]*statuses\.404: wanted transient, later[\s\S]*fetch: wanted a function/,
    )
  })
})
