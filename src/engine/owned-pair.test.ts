import { describe, expect, it } from 'vitest'
import { entryWith } from '../../test/support/entry.ts'
import { elsewhere, never, on, order, why } from '../../test/support/shop.ts'
import { testWorld } from '../testing/test-world.ts'
import type { Stage } from './entry.ts'
import { handler } from './handler.ts'
import { OwnedPair } from './owned-pair.ts'

it('a poison event deep in the backlog is counted as a crash loop (G8)', async () => {
  let entered = 0
  const waiting = handler('waiting', on, () => 'done')
  const poison = handler('poison', elsewhere, () => {
    entered++
    return never()
  })
  const handlers = [waiting, poison]
  const bounds = { held: 50, aside: 100, perKey: 1, page: 5 }
  const world = await testWorld({ handlers, shards: 1, bounds })
  await world.soon(world.hapax.controls.pause('handler', 'waiting', why))
  for (let index = 0; index < 20; index++) await world.soon(world.hapax.accept(order(`${index}`)))
  const receipt = await world.soon(world.hapax.accept({ source: 'elsewhere', id: 'a', type: 'any', data: 1 }))
  const before = () => {
    const times = entered
    return world.until(() => entered > times, '30s')
  }
  await world.until(() => entered === 1)
  for (let crash = 0; crash < 5; crash++) {
    await world.crash()
    await world.node()
    await before()
  }
  await world.crash()
  await world.node()
  expect(await world.ended(receipt, '1m')).toMatchObject({ status: 'dead', state: { error: { code: 'crash_loop' } } })
  expect(entered).toBe(6)
  await world.crash()
})

const read = { cursor: 10, more: false }

/** A pair that was read through, up to position 10. */
function readPair(graceful = true): OwnedPair {
  const pair = new OwnedPair({ group: 'g', shard: 0, epoch: 1, graceful }, 1_000, 2)
  pair.passed(read, 0)
  return pair
}

function put(pair: OwnedPair, position: number, stage: Stage): void {
  const entry = entryWith(`${position}`, { position })
  entry.stage = stage
  pair.entries.set(entry.id, entry)
}

describe('the low mark', () => {
  const markOf = (pair: OwnedPair) => pair.lowMark?.position

  it('lies behind what was read, where nothing is unfinished', () => {
    expect(markOf(readPair())).toBe(11)
  })

  it.each(['ready', 'aside', 'moving', 'running'] as const)('passes nothing that is %s (G5)', (stage) => {
    const pair = readPair()
    put(pair, 7, stage)
    put(pair, 9, stage)
    expect(markOf(pair)).toBe(7)
  })

  it('passes what stands: that has a place of its own', () => {
    const pair = readPair()
    put(pair, 7, 'standing')
    expect(markOf(pair)).toBe(11)
  })

  it('passes no accept that will be handed over, until it came or will not come (G5)', () => {
    const pair = readPair()
    const place = pair.expect()
    pair.passed({ cursor: 20, more: false }, 0)
    expect(markOf(pair)).toBe(11)
    pair.expectNoMore(place)
    expect(markOf(pair)).toBe(21)
  })

  it('passes nothing that was let go, also while it is read again (G5)', () => {
    const pair = readPair()
    pair.letGo(8)
    pair.letGo(6)
    pair.letGo(9)
    expect(markOf(pair)).toBe(6)
    pair.readAgain()
    expect(markOf(pair)).toBe(6)
  })

  it('is not told of a pair that was not read, or that was handed back (G5)', () => {
    expect(markOf(new OwnedPair({ group: 'g', shard: 0, epoch: 1, graceful: true }, 0, 2))).toBeUndefined()
    const pair = readPair()
    pair.handBack()
    expect(markOf(pair)).toBeUndefined()
  })
})

describe('what has ended', () => {
  it('is remembered until neither a page nor a late hand-over can name it', () => {
    const pair = readPair()
    pair.noteFinished({ id: 'read', position: 10 })
    pair.noteFinished({ id: 'next', position: 12 })
    expect([pair.hasFinished('read'), pair.hasFinished('next')]).toEqual([false, true])
    const place = pair.expect()
    pair.passed({ cursor: 12, more: false }, 0)
    expect(pair.hasFinished('next')).toBe(true)
    pair.noteFinished({ id: 'beside', position: 11 })
    expect(pair.hasFinished('beside')).toBe(true)
    pair.expectNoMore(place)
    pair.passed({ cursor: 12, more: false }, 0)
    expect([pair.hasFinished('next'), pair.hasFinished('beside')]).toEqual([false, false])
  })
})

describe('what may have been executing at an owner that was lost', () => {
  it('is what could begin before the grant, as many as that owner may have held (G4, G8)', () => {
    const pair = readPair(false)
    expect(pair.mayHaveBegunAt(1_000, 100)).toBe(900)
    expect(pair.mayHaveBegunAt(1_001, 100)).toBeUndefined()
    pair.countSuspect()
    pair.countSuspect()
    expect(pair.mayHaveBegunAt(1_000, 100)).toBeUndefined()
  })

  it('is nothing where it gave the pair back', () => {
    expect(readPair().mayHaveBegunAt(0, 100)).toBeUndefined()
  })
})

describe('a pair that is given back', () => {
  it('is quiet once nothing of it executes, or it is no longer this node’s', async () => {
    const ended = async (end: (pair: OwnedPair) => void) => {
      const pair = readPair()
      put(pair, 7, 'running')
      let isQuiet = false
      const quiet = pair.quiet().then(() => {
        isQuiet = true
      })
      pair.tellIfQuiet()
      await Promise.resolve()
      expect(isQuiet).toBe(false)
      end(pair)
      await quiet
    }
    await ended((pair) => {
      pair.entries.clear()
      pair.tellIfQuiet()
    })
    await ended((pair) => pair.end())
  })
})
