import { expect, it } from 'vitest'
import { effectsOf, lineOf } from './history.ts'

it('reads every whole line, and passes over what a kill cut in two', () => {
  const one = { id: 'event-1', attempt: 1, pid: 7, what: 'begin' }
  const other = { id: 'event-2', attempt: 2, pid: 8, what: 'end' }
  for (let cut = 0; cut < lineOf(one).length - 1; cut++) {
    const text = lineOf(one) + lineOf(one).slice(0, cut) + lineOf(other)
    // Of a line that lacks its last character alone, the newline, nothing is missing.
    expect(effectsOf(text)).toEqual([one, other])
  }
})
