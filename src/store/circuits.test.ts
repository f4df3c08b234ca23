import { expect, test } from 'vitest'
import { type CircuitTurn, turned } from './circuits.ts'

const open: CircuitTurn = { dependency: 'bank', seen: 0, state: 'open', probeInMs: 100, reason: 'failures', actor: 'n' }

test('a circuit that has turned since it was seen does not turn', () => {
  const first = turned(undefined, open, 1_000)
  expect(turned(first, open, 2_000)).toBeUndefined()
  expect(turned(first, { ...open, seen: 1 }, 2_000)?.version).toBe(2)
  expect(turned(undefined, { ...open, seen: 1 }, 2_000)).toBeUndefined()
})

test('an outage lasts from when calls stopped until they go again', () => {
  const first = turned(undefined, open, 1_000)
  const probing = turned(first, { ...open, seen: 1, state: 'probing' }, 1_100)
  const again = turned(probing, { ...open, seen: 2 }, 1_200)
  expect(again).toMatchObject({ openedAt: 1_000, since: 1_200, probeAt: 1_300 })
  const closed = turned(again, { ...open, seen: 3, state: 'closed' }, 1_400)
  expect(closed).toMatchObject({ openedAt: 1_000, since: 1_400, probeAt: undefined })
  expect(turned(closed, { ...open, seen: 4 }, 1_500)).toMatchObject({ openedAt: 1_500 })
})
