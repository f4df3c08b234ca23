import { expect, it } from 'vitest'
import { Fatal, NotSent, RetryLater } from '../event/outcome.ts'
import { type CallVerdict, callFailureOf, markFailure, verdictOf } from './call-failure.ts'

const withStatus = (status: number) => Object.assign(new Error(String(status)), { status })
const withCode = (code: string) => new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) })

it.each<readonly [string, unknown, CallVerdict | undefined]>([
  ...[408, 409, 423, 425, 500, 502, 503, 504].map(
    (status) => [`status ${status}`, withStatus(status), 'transient'] as const,
  ),
  ...[401, 403, 407].map((status) => [`status ${status}`, withStatus(status), 'configuration'] as const),
  ...[400, 402, 404, 410, 413, 415, 422].map((status) => [`status ${status}`, withStatus(status), 'fatal'] as const),
  ['status 429', withStatus(429), 'later'],
  ['statusCode 500', Object.assign(new Error('Stripe'), { statusCode: 500 }), 'transient'],
  ['a reset connection', withCode('ECONNRESET'), 'transient'],
  ['a self-signed certificate', withCode('DEPTH_ZERO_SELF_SIGNED_CERT'), 'configuration'],
  ['a failed fetch', new TypeError('fetch failed'), 'transient'],
  ['any other error', new Error('boom'), 'transient'],
  ['RetryLater', new RetryLater('1s'), 'later'],
  ['Fatal', new Fatal('no'), 'fatal'],
  ['NotSent', new NotSent('no way'), 'transient'],
  ['a mistake of the code', new TypeError("Cannot read properties of undefined (reading 'id')"), undefined],
  ['a name that is not there', new ReferenceError('x is not defined'), undefined],
  ['what is no error', 'thrown', 'transient'],
])('%s', (_name, error, verdict) => expect(verdictOf(error)).toBe(verdict))

it('is known of an error however far it is thrown on, also where a handler wraps it', () => {
  const error = new Error('down')
  const failure = { dependency: 'bank', verdict: 'transient', retryAt: undefined } as const
  markFailure(error, failure)
  expect(callFailureOf(new Error('charging', { cause: new Error('calling', { cause: error }) }))).toEqual(failure)
  expect(callFailureOf(new Error('another'))).toBeUndefined()
  markFailure('text', failure)
  expect(callFailureOf('text')).toBeUndefined()
})
