import { expect, it } from 'vitest'
import { handler } from './handler.ts'

it('never waits shorter than the min it was given, also where that is above the default max', () => {
  const on = { source: 'shop', on: '*' }
  expect(handler('slow', { ...on, retry: { min: '2h' } }, () => {}).retry).toMatchObject({
    minMs: 7_200_000,
    maxMs: 7_200_000,
  })
  expect(handler('plain', on, () => {}).retry).toMatchObject({ minMs: 1_000, maxMs: 3_600_000 })
  expect(() => handler('wrong', { ...on, retry: { min: '2h', max: '1h' } }, () => {})).toThrow(
    /retry\.min .* retry\.max/,
  )
})
