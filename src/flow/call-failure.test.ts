import { describe, expect, it } from 'vitest'
import { HapaxError } from '../errors/hapax-error.ts'
import { Fatal, NotSent, RetryLater } from '../event/outcome.ts'
import { callFailureOf, markFailure, verdictOf } from './call-failure.ts'

const withStatus = (status: number) => Object.assign(new Error('answered'), { status })
const withCode = (code: string) => new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) })

describe('what an error of a call means', () => {
  it('is said by the status that it bears', () => {
    const verdicts = {
      transient: [408, 409, 423, 425, 418, 499, 500, 502, 503, 504, 599],
      later: [429],
      configuration: [401, 403, 407],
      fatal: [400, 402, 404, 405, 406, 410, 411, 412, 413, 414, 415, 416, 417, 422, 426, 428, 431, 451],
    }
    for (const [verdict, statuses] of Object.entries(verdicts)) {
      for (const status of statuses) expect([status, verdictOf(withStatus(status))]).toEqual([status, verdict])
    }
  })

  it('is said by the declared statuses before', () => {
    expect(verdictOf(withStatus(404), { 404: 'transient' })).toBe('transient')
    expect(verdictOf(withStatus(304), { 304: 'fatal' })).toBe('fatal')
  })

  it('is a redirect that was not followed: no word on the other side', () => {
    expect(verdictOf(withStatus(302))).toBeUndefined()
  })

  it('is a network that failed', () => {
    for (const code of ['ECONNRESET', 'ECONNREFUSED', 'ENOTFOUND', 'UND_ERR_SOCKET', 'EPIPE', 'ETIMEDOUT'])
      expect(verdictOf(withCode(code)), code).toBe('transient')
    expect(verdictOf(new TypeError('terminated', { cause: new Error('other side closed') }))).toBe('transient')
    expect(verdictOf('thrown')).toBe('transient')
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

  it('is what the code says by its class', () => {
    expect(verdictOf(new Fatal('x'))).toBe('fatal')
    expect(verdictOf(new NotSent('x'))).toBe('transient')
    expect(verdictOf(new RetryLater('1s'))).toBe('later')
  })

  it('is found again where a handler wrapped the error', () => {
    const error = withStatus(500)
    const failure = { dependency: 'bank', verdict: 'transient', retryAt: undefined } as const
    markFailure(error, failure)
    expect(callFailureOf(new AggregateError([], 'wrapped', { cause: error }))).toBe(failure)
    expect(callFailureOf(new TypeError('another'))).toBeUndefined()
  })
})
