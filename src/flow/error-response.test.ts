import { describe, expect, it } from 'vitest'
import { headerOf, statusOf } from './error-response.ts'

/** Errors as clients throw them, each with 429 and `Retry-After: 7`. */
const errors = {
  'a Headers': { status: 429, headers: new Headers({ 'Retry-After': '7' }) },
  stripe: { statusCode: 429, headers: { 'retry-after': '7' } },
  axios: { status: undefined, response: { status: 429, headers: { 'Retry-After': '7' } } },
  got: { response: { statusCode: 429, headers: { 'retry-after': ['7'] } } },
  aws: { $metadata: { httpStatusCode: 429 }, $response: { headers: { 'retry-after': '7' } } },
  'a status that is a word': { status: 'RESOURCE_EXHAUSTED', statusCode: 429, headers: { 'RETRY-AFTER': '7' } },
}

describe('the answer that an error bears', () => {
  for (const [client, error] of Object.entries(errors)) {
    it(`is found where the client puts it: ${client}`, () => {
      expect([statusOf(error), headerOf(error, 'retry-after')]).toEqual([429, '7'])
    })
  }

  it('is not made up', () => {
    const throwing = {
      get status(): number {
        throw new RangeError('x')
      },
    }
    for (const error of [undefined, null, 'x', 7, {}, { status: 200 }, { status: 42 }, { headers: null }, throwing]) {
      expect([statusOf(error), headerOf(error, 'retry-after')]).toEqual([undefined, undefined])
    }
  })
})
