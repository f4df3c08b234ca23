import { expect, it } from 'vitest'
import { HapaxError } from '../errors/hapax-error.ts'
import { parseForm } from './form.ts'

const codeOf = (body: Uint8Array | string): string => {
  try {
    parseForm(Buffer.from(body))
  } catch (error) {
    if (error instanceof HapaxError) return error.code
  }
  return 'none'
}

it('reads names and values', () => {
  expect(parseForm(Buffer.from('a=1&b=x+y%26%E2%82%AC&empty=&bare&&c=1=2'))).toEqual({
    a: '1',
    b: 'x y&€',
    empty: '',
    bare: '',
    c: '1=2',
  })
  expect(parseForm(Buffer.from(''))).toEqual({})
})

it('makes hostile names plain own properties', () => {
  const form = parseForm(Buffer.from('__proto__=x&constructor=y'))
  expect(Object.getPrototypeOf(form)).toBe(Object.prototype)
  expect(Object.entries(form)).toEqual([
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ])
})

it('refuses what browsers guess', () => {
  expect(codeOf('a=1&a=2')).toBe('duplicate_key')
  expect(codeOf('a=%zz')).toBe('invalid_event')
  expect(codeOf('a=%ff')).toBe('invalid_event')
  expect(codeOf(Uint8Array.from([0x61, 0x3d, 0xff]))).toBe('invalid_utf8')
  expect(codeOf(Array.from({ length: 10_001 }, (_, field) => `f${field}=`).join('&'))).toBe('too_many_keys')
})
