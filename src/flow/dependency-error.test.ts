import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { DependencyError } from './dependency-error.ts'

it('gives status, headers and body, and shows neither headers nor body where it is printed', () => {
  const answer = { status: 402, headers: new Headers({ 'x-token': 'hidden' }), body: 'a secret' }
  const error = new DependencyError('acquirer', 'POST', answer)
  expect(error).toMatchObject({ dependency: 'acquirer', status: 402, body: 'a secret', name: 'DependencyError' })
  expect(error.headers.get('x-token')).toBe('hidden')
  expect(error.message).toBe('acquirer answered POST with 402.')
  for (const text of [inspect(error, { depth: 5 }), JSON.stringify(error), String(error)])
    expect(text).not.toMatch(/hidden|secret/)
})
