import { expect, it } from 'vitest'
import { Fifo } from './fifo.ts'

it('gives back what was put in, in its order, however much has passed', () => {
  const fifo = new Fifo<number>()
  const out: (number | undefined)[] = []
  for (let item = 0; item < 5_000; item++) {
    fifo.push(item)
    // Two of three leave at once: it grows, and what has left is cut off on the way.
    if (item % 3 !== 0) out.push(fifo.shift())
  }
  expect(fifo.length).toBe(5_000 - out.length)
  while (fifo.length > 0) out.push(fifo.shift())
  expect(out).toEqual(Array.from({ length: 5_000 }, (_, item) => item))
  expect([fifo.first(), fifo.shift(), fifo.length]).toEqual([undefined, undefined, 0])
})

it('says who is first, and gives all that is there at once', () => {
  const fifo = new Fifo<string>()
  for (const item of ['a', 'b', 'c']) fifo.push(item)
  expect([fifo.first(), fifo.shift(), fifo.first()]).toEqual(['a', 'a', 'b'])
  expect(fifo.drain()).toEqual(['b', 'c'])
  expect(fifo.first()).toBeUndefined()
  fifo.push('d')
  expect(fifo.shift()).toBe('d')
})
