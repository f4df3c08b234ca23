import { expect, test } from 'vitest'
import { WireReader, WireWriter } from './wire.ts'

test('a word that comes again is sent once, and read as often as it was put', () => {
  const wire = new WireWriter()
  for (const word of ['stripe', 'default', 'stripe', '', 'stripe', '']) wire.word(word)
  wire.put(1)
  wire.bytes(Buffer.from('body'))
  const { fields, bytes } = wire.end()
  expect(fields.filter((field) => field === 'stripe')).toHaveLength(1)
  const reader = new WireReader({ fields, bytes })
  expect(Array.from({ length: 6 }, () => reader.word())).toEqual(['stripe', 'default', 'stripe', '', 'stripe', ''])
  expect(reader.number()).toBe(1)
  expect(Buffer.from(reader.bytes()).toString()).toBe('body')
})

test('a word that was never put is a fault of the program', () => {
  expect(() => new WireReader({ fields: [3], bytes: new Uint8Array() }).word()).toThrow(
    expect.objectContaining({ code: 'internal' }),
  )
})
