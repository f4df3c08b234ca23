import { expect, it } from 'vitest'
import { entryWith } from '../../test/support/entry.ts'
import { Line } from '../flow/line.ts'
import type { Entry } from './entry.ts'
import { Pauses } from './pauses.ts'
import { ReadyQueue } from './ready-queue.ts'
import { Room } from './room.ts'

function queue() {
  const room = new Room({ held: 10, aside: 10, perKey: 1, page: 10 })
  const pauses = new Pauses(
    'g',
    () => ({ version: 1, handlers: [] }),
    () => [],
  )
  const isSuspect = ({ id }: Entry) => id.startsWith('suspect')
  const ready = new ReadyQueue({ room, pauses, isSuspect, lineOf: () => undefined, wake: () => {} })
  let version = 0
  /** As an operator pauses sources, and no others. */
  const pause = (...names: string[]) => {
    const paused = names.map((name) => ({ what: 'source' as const, name, reason: '', actor: '', since: 0 }))
    pauses.learn({ version: ++version, paused, circuits: [], limits: [] })
    ready.putAnew()
  }
  const put = (id: string, source = 'shop') => {
    const entry = { ...entryWith(id, { source }), id }
    ready.put(entry)
    return entry
  }
  const drain = () => {
    const ids: string[] = []
    for (let entry = ready.shift(); entry; entry = ready.shift()) ids.push(entry.id)
    return ids
  }
  return { room, pauses, ready, pause, put, drain }
}

it('is first come first, suspects before all others', () => {
  const { ready, put, drain } = queue()
  for (const id of ['a', 'b', 'suspect 1', 'c', 'suspect 2']) put(id)
  const first = ready.first(true)
  expect([first?.id, first && ready.isAlone(first)]).toEqual(['suspect 1', true])
  expect(drain()).toEqual(['suspect 1', 'suspect 2', 'a', 'b', 'c'])
  expect(ready.first(true)).toBeUndefined()
})

it('keeps what is paused aside, without its body, until it is resumed', () => {
  const { pause, put, drain } = queue()
  pause('bank')
  const held = put('a', 'bank')
  put('b')
  expect([held.stage, held.event]).toEqual(['aside', undefined])
  expect(drain()).toEqual(['b'])
  pause()
  expect(held.stage).toBe('ready')
  expect(drain()).toEqual(['a'])
})

it('lets a pause have also what was in line before it, and forgets what has left', () => {
  const { room, pause, put, drain } = queue()
  put('a')
  const paused = put('b', 'bank')
  const left = put('c')
  room.stage(left, 'gone')
  pause('bank')
  expect(paused.stage).toBe('aside')
  expect(drain()).toEqual(['a'])
})

it('keeps whose turn it is over a pause, whatever has left', () => {
  const { room, ready, pause, drain } = queue()
  const put = (id: string, tenant: string) => {
    const entry = { ...entryWith(id, { tenant }), id }
    ready.put(entry)
    return entry
  }
  const left = put('left', 'acme')
  put('a', 'acme')
  put('b', 'bolt')
  room.stage(left, 'gone')
  pause('bank')
  expect(drain()).toEqual(['a', 'b'])
})

it('keeps the newer of two readings of the settings', () => {
  const { pauses, pause, put } = queue()
  pause()
  pause('bank')
  expect(pauses.learn({ version: 1, paused: [], circuits: [], limits: [] })).toBe(false)
  expect(put('a', 'bank').stage).toBe('aside')
})

it('has nothing to put anew where settings changed and pauses did not: each turn of a circuit changes them', () => {
  const { pauses, pause } = queue()
  pause('bank')
  const paused = [{ what: 'source', name: 'bank', reason: '', actor: '', since: 0 }] as const
  expect(pauses.learn({ version: 7, paused, circuits: [], limits: [] })).toBe(false)
  expect(pauses.learn({ version: 8, paused: [], circuits: [], limits: [] })).toBe(true)
})

it('holds a suspect to the limits of what it uses', () => {
  const room = new Room({ held: 10, aside: 10, perKey: 1, page: 10 })
  const pauses = new Pauses(
    'g',
    () => ({ version: 1, handlers: [] }),
    () => [],
  )
  let hasRoom = false
  const gate = { name: 'bank', isHeld: false, lined: () => {}, waited: () => {}, end: () => {} }
  const line = new Line([
    {
      ...gate,
      get hasRoom() {
        return hasRoom
      },
      begin: () => ({ waitedMs: 0, startedMs: 0, isOnItsWay: false }),
    },
  ])
  const ready = new ReadyQueue({ room, pauses, isSuspect: () => true, lineOf: () => line, wake: () => {} })
  ready.put(entryWith('lost'))
  expect(ready.first(true)).toBeUndefined()
  hasRoom = true
  const first = ready.first(true)
  expect(first && ready.isAlone(first)).toBe(true)
})
