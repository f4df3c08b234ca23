import { expect, it } from 'vitest'
import { WriteTurn } from './write-turn.ts'

/** A lock on a clock of the test's own; `heldUntilMs` is until when another process has it. */
function lock({ heldUntilMs = 0, waitMs = 5_000 } = {}) {
  const pauses: number[] = []
  const state = { nowMs: 0, heldUntilMs }
  const turn = new WriteTurn(
    {
      begin: () => {
        if (state.nowMs < state.heldUntilMs) throw Object.assign(new Error('database is locked'), { errcode: 5 })
      },
      pause: (ms) => {
        pauses.push(ms)
        state.nowMs += ms
      },
      monotonicMs: () => state.nowMs,
    },
    waitMs,
  )
  return { turn, state, pauses }
}

it('takes the lock without a pause where nobody else writes', () => {
  const { turn, pauses } = lock()
  turn.take()
  turn.left()
  turn.take()
  expect(pauses).toEqual([])
})

it('looks again soon, however long another has had the lock', () => {
  const { turn, state } = lock({ heldUntilMs: 100 })
  turn.take()
  expect(state.nowMs).toBeLessThan(100.5)
})

it('gives up after its wait, with the error of the lock', () => {
  const { turn, state } = lock({ heldUntilMs: 1_000, waitMs: 20 })
  expect(() => turn.take()).toThrow('database is locked')
  expect(state.nowMs).toBeGreaterThanOrEqual(20)
  expect(state.nowMs).toBeLessThan(21)
})

it('passes on any other error at once', () => {
  const { pauses } = lock()
  const failing = { begin: () => void fail(), pause: (ms: number) => void pauses.push(ms), monotonicMs: () => 0 }
  expect(() => new WriteTurn(failing, 5_000).take()).toThrow('disk I/O error')
  expect(pauses).toEqual([])
})

it('leaves the lock alone after a commit for longer than another pauses between two looks, as long as that one writes', () => {
  const waiting = lock({ heldUntilMs: 100 })
  waiting.turn.take()
  const [lookMs = 0] = waiting.pauses

  const { turn, state, pauses } = lock()
  turn.take()
  turn.othersWrote()
  turn.left()
  turn.take()
  expect(pauses).toHaveLength(1)
  expect(pauses[0]).toBeGreaterThan(lookMs)

  turn.left()
  state.nowMs += 1_000
  turn.take()
  turn.left()
  turn.take()
  expect(pauses).toHaveLength(1)
})

it('counts the time that has passed since the commit', () => {
  const { turn, state, pauses } = lock()
  turn.take()
  turn.othersWrote()
  turn.left()
  state.nowMs += 10
  turn.take()
  expect(pauses).toEqual([])
})

function fail(): never {
  throw Object.assign(new Error('disk I/O error'), { errcode: 10 })
}
