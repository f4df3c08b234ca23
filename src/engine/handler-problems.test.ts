import { describe, expect, it } from 'vitest'
import { type HandlerOptions, handler, retryPolicy } from './handler.ts'

/** What an error says of a handler with these options. */
function said(options: object, name = 'settle', body: unknown = () => {}): string {
  try {
    // Options as JavaScript may give them: what the compiler would refuse is what is tested.
    handler(name, { source: 'shop', on: 'order.*', ...options } as HandlerOptions, body as () => unknown)
    return ''
  } catch (error) {
    expect(error).toMatchObject({ code: 'config_invalid' })
    return error instanceof Error ? error.message : ''
  }
}

describe('handler', () => {
  it('takes what is right', () => {
    expect(
      said({
        on: ['order.paid', '*'],
        retry: { attempts: 1, min: 0, max: 0, factor: 1, jitter: 'none' },
        timeout: 1,
        expires: '7d',
        pickUp: 0,
        needs: ['transaction'],
        order: { onDead: 'skip' },
        coalesce: { key: () => '', window: '1h' },
        supersede: { key: () => '', version: () => 1 },
        formerly: ['old'],
        version: '1',
      }),
    ).toBe('')
    expect(said({ order: false })).toBe('')
  })

  it('says all that is wrong at once, and with whom', () => {
    const message = said(
      {
        on: [],
        source: ['shop', 'a*b', ''],
        retry: { attempts: 0, min: '2h', max: '1h', factor: 0.5, jitter: 'some' },
        timeout: 0,
        expires: 'soon',
        pickUp: -1,
        needs: ['magic'],
        order: { onDead: 'explode' },
        coalesce: { key: 'subject', window: '2h' },
        supersede: { key: () => '', version: 'data.version' },
        formerly: ['settle'],
        version: 2,
        schema: {},
        undoOnDeath: 'yes',
      },
      'settle',
      'body',
    )
    for (const part of [
      'handler "settle": on: the list is empty',
      'source: "a*b" has its * before the end',
      'source: wanted 1 to 128 characters, found ""',
      'retry.attempts: wanted a whole number of 1 or more, found 0',
      'retry.min (7200000 ms) must be at most retry.max (3600000 ms)',
      'retry.factor: wanted a number of 1 or more, found 0.5',
      'supersede: wanted { key, version }, each a function of the event',
      "retry.jitter: wanted 'full' or 'none', found \"some\"",
      'timeout: wanted a duration of 1 ms or more',
      'expires: wanted a duration',
      'pickUp: wanted a duration',
      "needs: wanted a list of 'transaction'",
      'order: wanted true',
      'coalesce.key: wanted a function',
      'coalesce.window: wanted a duration of 1 ms to 1 hour',
      'formerly: wanted a list of names',
      'version: wanted text',
      'schema: wanted a Standard Schema',
      'undoOnDeath: wanted true or false',
      'body: wanted a function',
    ]) {
      expect(message).toContain(part)
    }
  })

  it.each([Number.NaN, -1, 0, 1.5, Number.POSITIVE_INFINITY])('refuses %s attempts', (attempts) => {
    expect(said({ retry: { attempts } })).toContain('retry.attempts: wanted')
    expect(() => retryPolicy({ attempts })).toThrow(expect.objectContaining({ code: 'config_invalid' }))
  })

  it('takes a least wait that is longer than the longest by default for both', () => {
    expect(said({ retry: { min: '2h' } })).toBe('')
    const base = { attempts: 3, minMs: 10, maxMs: 20, factor: 2, jitter: 'full' } as const
    expect(retryPolicy({ min: '1s' }, base)).toMatchObject({ minMs: 1_000, maxMs: 1_000 })
  })

  it.each([null, 5, true, {}])('refuses %s as the way to coalesce', (coalesce) => {
    expect(said({ coalesce })).toContain('coalesce')
  })

  it('refuses a hole in a list', () => {
    const hole = new Array(1)
    expect(said({ on: hole })).toContain('on: wanted 1 to')
    expect(said({ source: hole })).toContain('source: wanted 1 to')
    expect(said({ formerly: hole })).toContain('formerly: wanted a list of names')
    expect(said({ needs: hole })).toContain("needs: wanted a list of 'transaction'")
  })

  it('shows whatever it found', () => {
    for (const timeout of [Symbol('soon'), Object.create(null), () => {}, [], null])
      expect(said({ timeout })).toContain('timeout: wanted a duration')
  })
})
