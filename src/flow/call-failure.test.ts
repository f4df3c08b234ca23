import { describe, expect, it } from 'vitest'
import { HapaxError } from '../errors/hapax-error.ts'
import { Fatal, NotSent, RetryLater } from '../event/outcome.ts'
import { type CallVerdict, callFailureOf, markFailure, verdictOf } from './call-failure.ts'

const withStatus = (status: number) => Object.assign(new Error(String(status)), { status })
const withCode = (code: string) => new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) })

it.each<readonly [string, unknown, CallVerdict | undefined]>([
  ...[408, 409, 412, 418, 423, 425, 499, 500, 502, 503, 504, 599].map(
    (status) => [`status ${status}`, withStatus(status), 'transient'] as const,
  ),
  ...[401, 403, 407].map((status) => [`status ${status}`, withStatus(status), 'configuration'] as const),
  ...[400, 402, 404, 405, 406, 410, 411, 413, 414, 415, 416, 417, 422, 426, 428, 431, 451].map(
    (status) => [`status ${status}`, withStatus(status), 'fatal'] as const,
  ),
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

describe('what an error of a call means', () => {
  it('is said by the declared statuses before', () => {
    expect(verdictOf(withStatus(404), { 404: 'transient' })).toBe('transient')
    expect(verdictOf(withStatus(304), { 304: 'fatal' })).toBe('fatal')
  })

  it('is a redirect that was not followed: no word on the other side', () => {
    expect(verdictOf(withStatus(302))).toBeUndefined()
  })

  it('is a certificate that does not convince, or no TLS in common', () => {
    for (const code of [
      'CERT_HAS_EXPIRED',
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'SELF_SIGNED_CERT_IN_CHAIN',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'ERR_SSL_WRONG_VERSION_NUMBER',
      'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
      'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    ]) {
      expect(verdictOf(withCode(code)), code).toBe('configuration')
    }
  })

  it('is no certificate where TLS broke after it stood: the request may have arrived', () => {
    for (const code of [
      'ERR_SSL_UNEXPECTED_EOF_WHILE_READING',
      'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC',
      'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR',
      'ERR_TLS_HANDSHAKE_TIMEOUT',
      // Salesforce's word for a row that another holds.
      'UNABLE_TO_LOCK_ROW',
    ]) {
      expect(verdictOf(withCode(code)), code).toBe('transient')
    }
  })

  it('is nothing where the code that called is wrong', () => {
    for (const error of [
      new TypeError('x is not a function'),
      new ReferenceError('x'),
      new RangeError('x'),
      withCode('ERR_INVALID_URL'),
      new HapaxError('step_name_repeated', { kind: 'step', name: 'x' }),
    ]) {
      expect(verdictOf(error), error.message).toBeUndefined()
    }
  })

  it('is its own timeout, whatever the status of that is declared to mean', () => {
    const late = new HapaxError('dependency_timeout', { dependency: 'bank', timeoutMs: 1 })
    expect(verdictOf(late, { 504: 'fatal' })).toBe('transient')
  })

  it('is what a Hapax elsewhere said', () => {
    expect(verdictOf(new HapaxError('server_unreachable', { url: 'x', reason: 'y' }))).toBe('transient')
    expect(verdictOf(new HapaxError('too_many_requests'))).toBe('later')
  })
})
