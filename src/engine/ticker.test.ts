import { describe, expect, it } from 'vitest'
import { between } from '../../test/support/between.ts'
import { onEitherStore } from '../../test/support/either-store.ts'
import { why } from '../../test/support/shop.ts'
import { HapaxError } from '../errors/hapax-error.ts'
import type { MissedTicks } from '../flow/schedule.ts'
import type { Clock } from '../kit/clock.ts'
import { lineLog } from '../kit/log.ts'
import { type TestWorld, testWorld } from '../testing/test-world.ts'
import type { HapaxCore } from './api.ts'
import { handler } from './handler.ts'
import { type Schedule, type ScheduleOptions, schedule } from './schedule.ts'

// Worlds begin on 2025-11-24 at 16:00 UTC.

/** A schedule that writes down what it ticked for, as hours and minutes. */
function noting(name: string, cron: string, options: ScheduleOptions = {}): { one: Schedule; seen: string[] } {
  const seen: string[] = []
  const one = schedule(name, cron, options, ({ data }) => {
    seen.push(data.at.slice(11, 16))
  })
  return { one, seen }
}

const tens = (options: ScheduleOptions = {}) => noting('tens', '*/10 * * * *', options)

/** Of so many names each of two nodes has some. */
const many = (options: ScheduleOptions = {}) =>
  Array.from({ length: 8 }, (_, index) => noting(`s${index}`, '*/10 * * * *', options))

/** The ids of the ticks that there are, oldest first, and how often any came again. */
async function ticksOf(hapax: HapaxCore, name: string): Promise<{ ids: string[]; repeats: number }> {
  const { events } = await hapax.events.list({ source: 'default', type: `schedule.${name}` })
  const repeats = events.reduce((sum, { duplicates, conflicts }) => sum + duplicates + conflicts, 0)
  return { ids: events.map(({ id }) => id.replace(/^.*T(\d\d:\d\d).*$/, '$1')).reverse(), repeats }
}

/** Nobody lives for so long; then a node starts. */
async function away(world: TestWorld, span: '35m' | '20s', schedules: readonly Schedule[]) {
  await world.soon(world.newest().stop())
  await world.advance(span)
  const node = await world.node([], { schedules })
  await world.advance('2s')
  return node
}

onEitherStore((open) => {
  describe('a schedule', () => {
    it('ticks once for each time, on two nodes, with its function as the handler', async () => {
      const { one, seen } = tens()
      const world = await open({ handlers: [], schedules: [one] })
      const other = await world.node()
      await world.advance('31m')
      expect(seen).toEqual(['16:10', '16:20', '16:30'])
      expect(await ticksOf(other, 'tens')).toEqual({ ids: seen, repeats: 0 })
      const { events } = await other.events.list()
      const [newest] = events
      expect(newest).toMatchObject({
        source: 'default',
        type: 'schedule.tens',
        id: 'tens@2025-11-24T16:30:00.000Z',
        time: '2025-11-24T16:30:00.000Z',
        acceptedAt: 1_764_001_800_000,
      })
      const { event, runs } = await other.events.get(newest?.key ?? '')
      expect(JSON.parse(String(Buffer.from(event.body ?? [])))).toEqual({
        schedule: 'tens',
        at: '2025-11-24T16:30:00.000Z',
      })
      expect(runs).toMatchObject([{ handler: 'tens', status: 'completed' }])
      await world.close()
    })

    it('goes on when the node that ticked dies', async () => {
      const all = many()
      const world = await open({ handlers: [], schedules: all.map(({ one }) => one), shards: 8 })
      await world.node()
      await world.advance('11m')
      await world.crash()
      // The lease of the dead runs out past the tick.
      await world.advance('535s')
      await world.advance('20s')
      for (const { one, seen } of all) {
        expect(seen, one.name).toEqual(['16:10', '16:20'])
        expect(await ticksOf(world.newest(), one.name)).toEqual({ ids: seen, repeats: 0 })
      }
      await world.close()
    })

    it('goes over to a node that joins, and back when that leaves, with no tick left out and none made again', async () => {
      const all = many({ missed: 'all' })
      const world = await open({ handlers: [], schedules: all.map(({ one }) => one), shards: 8 })
      await world.advance('11m')
      const other = await world.node()
      await world.advance('20m')
      await world.soon(other.stop())
      await world.advance('10m')
      for (const { one, seen } of all) {
        expect(seen, one.name).toEqual(['16:10', '16:20', '16:30', '16:40'])
        expect(await ticksOf(world.hapax, one.name)).toEqual({ ids: seen, repeats: 0 })
      }
      await world.soon(world.hapax.stop())
    })
  })
})

describe('ticks that nobody was there for', () => {
  it.each<[MissedTicks, string[]]>([
    ['latest', ['16:10', '16:40']],
    ['all', ['16:10', '16:20', '16:30', '16:40']],
    ['skip', ['16:10']],
  ])('%s: %s', async (missed, expected) => {
    const { one, seen } = tens({ missed })
    const world = await testWorld({ handlers: [], schedules: [one] })
    await world.advance('11m')
    const node = await away(world, '35m', [one])
    expect(seen).toEqual(expected)
    expect(await ticksOf(node, 'tens')).toEqual({ ids: expected, repeats: 0 })
    await world.advance('5m')
    expect(seen).toEqual([...expected, '16:50'])
    await world.close()
  })

  it('of skip, are not those which a restart was late for', async () => {
    const { one, seen } = tens({ missed: 'skip' })
    const world = await testWorld({ handlers: [], schedules: [one] })
    await world.advance('590s')
    await away(world, '20s', [one])
    expect(seen).toEqual(['16:10'])
    await world.close()
  })

  it('of all, are made up for up to a limit, the newest, and the log says so', async () => {
    const told: string[] = []
    const { one, seen } = noting('minutes', '* * * * *', { missed: 'all' })
    const world = await testWorld({ handlers: [], schedules: [one] })
    await world.advance('61s')
    await world.soon(world.hapax.stop())
    await world.advance('1d')
    const log = lineLog({ write: (line) => void told.push(line), now: () => 0, level: 'warn' })
    await world.node([], { schedules: [one], log })
    await world.until(() => seen.length === 1_001)
    expect(seen.slice(0, 2)).toEqual(['16:01', '23:22'])
    expect(told.join('')).toMatch(/more ticks were missed than are made up for/)
    await world.close()
  })

  it('are none of before the schedule was there', async () => {
    const world = await testWorld({ handlers: [handler('other', { source: 'shop', on: '*' }, () => {})] })
    await world.advance('15m')
    const { one, seen } = tens({ missed: 'all' })
    await world.node([], { schedules: [one] })
    await world.advance('4m')
    expect(seen).toEqual([])
    await world.soon(world.hapax.stop())
    await world.advance('2m')
    expect(seen).toEqual(['16:20'])
    await world.close()
  })

  it('are none of before its cron or time zone was what it is', async () => {
    const world = await testWorld({ handlers: [], schedules: [noting('hourly', '5 * * * *').one] })
    await world.advance('30m')
    const changed = noting('hourly', '15 * * * *')
    await away(world, '20s', [changed.one])
    expect(changed.seen).toEqual([])
    // Half an hour off: the same times, by another rule.
    const moved = noting('hourly', '45 * * * *', { timezone: 'Asia/Kolkata' })
    await away(world, '20s', [moved.one])
    expect(moved.seen).toEqual([])
    await world.advance('45m')
    expect(moved.seen).toEqual(['17:15'])
    await world.close()
  })

  it('are none that may have been forgotten', async () => {
    const { one, seen } = noting('daily', '30 16 * * *')
    const retention = { payloads: '1h', journal: '1h', identities: '1h' } as const
    const world = await testWorld({ handlers: [], schedules: [one], retention })
    await world.advance('2h')
    expect(await ticksOf(world.hapax, 'daily')).toEqual({ ids: [], repeats: 0 })
    await away(world, '20s', [one])
    expect(seen).toEqual(['16:30'])
    await world.close()
  })

  it('come when the store is there again', async () => {
    let isDown = false
    const orDown = <Answer>(go: () => Promise<Answer>) =>
      isDown ? Promise.reject(new HapaxError('store_unavailable', { reason: 'a test' })) : go()
    const { one, seen } = tens()
    const wrapStore = between({ commit: orDown })
    const world = await testWorld({ handlers: [], schedules: [one], wrapStore })
    await world.advance('9m')
    isDown = true
    await world.advance('3m')
    isDown = false
    await world.until(() => seen.length > 0, '5s')
    expect(seen).toEqual(['16:10'])
    await world.close()
  })
})

describe('a restart', () => {
  it('between two ticks makes none again and leaves none out', async () => {
    const { one, seen } = tens({ missed: 'all' })
    let searched = 0
    const wrapStore = between({
      searchEvents: (go) => {
        searched++
        return go()
      },
    })
    const world = await testWorld({ handlers: [], schedules: [one], wrapStore })
    await world.advance('11m')
    await away(world, '20s', [one])
    await world.advance('9m')
    const node = await away(world, '20s', [one])
    // That the last tick came is known by its identity: a search for it may read far back.
    expect(searched).toBe(0)
    expect(seen).toEqual(['16:10', '16:20'])
    expect(await ticksOf(node, 'tens')).toEqual({ ids: seen, repeats: 0 })
    await world.close()
  })

  it('under another name makes no tick again', async () => {
    const before = tens({ missed: 'all' })
    const world = await testWorld({ handlers: [], schedules: [before.one] })
    await world.advance('11m')
    const renamed = noting('tenths', '*/10 * * * *', { missed: 'all', formerly: ['tens'] })
    const node = await away(world, '35m', [renamed.one])
    expect([before.seen, renamed.seen]).toEqual([['16:10'], ['16:20', '16:30', '16:40']])
    expect((await ticksOf(node, 'tens')).ids).toEqual([...before.seen, ...renamed.seen])
    await world.close()
  })
})

describe('a node of before a rename', () => {
  it('that takes over in the middle of the deploy leaves no tick out', async () => {
    const old = many()
    const world = await testWorld({ handlers: [], schedules: old.map(({ one }) => one), shards: 8 })
    const renamed = old.map(({ one: { name } }) => noting(`${name}-new`, '*/10 * * * *', { formerly: [name] }))
    await world.node([], { schedules: renamed.map(({ one }) => one) })
    await world.advance('11m')
    expect(renamed.some(({ seen }) => seen.length > 0)).toBe(true)
    await world.advance('535s')
    await world.crash()
    await world.advance('20s')
    for (const { one } of old) expect((await ticksOf(world.hapax, one.name)).ids, one.name).toEqual(['16:10', '16:20'])
    await world.close()
  })
})

describe('two nodes that tick at once', () => {
  it('make one event', async () => {
    const { one, seen } = tens()
    const world = await testWorld({ handlers: [], schedules: [one] })
    const at = '2025-11-24T16:10:00.000Z'
    const other = { id: `tens@${at}`, type: 'schedule.tens', data: { schedule: 'tens', at } }
    await world.hapax.accept({ source: 'default', ...other })
    await world.advance('11m')
    expect(seen).toEqual(['16:10'])
    expect(await ticksOf(world.hapax, 'tens')).toEqual({ ids: ['16:10'], repeats: 1 })
    const [kept] = (await world.hapax.events.list()).events
    expect(kept).toMatchObject({ duplicates: 1, conflicts: 0 })
    await world.close()
  })
})

describe('time', () => {
  it('is the store’s: a node whose clock is wrong ticks like the others', async () => {
    const { one, seen } = tens()
    const world = await testWorld({ handlers: [], schedules: [one] })
    const wrong: Clock = {
      now: () => world.clock.now() + 7 * 3_600_000,
      monotonicMs: () => world.clock.monotonicMs(),
      setTimer: (delayMs, fire) => world.clock.setTimer(delayMs, fire),
      turn: (fire) => world.clock.turn(fire),
      rest: (fire) => world.clock.rest(fire),
    }
    await world.soon(world.hapax.stop())
    const node = await world.node([], { clock: wrong, schedules: [one] })
    await world.advance('21m')
    expect(seen).toEqual(['16:10', '16:20'])
    expect((await node.schedules())[0]?.nextAt).toBe(1_764_001_800_000)
    await world.close()
  })

  it('that was a day ahead, and is set right, goes on from there', async () => {
    const { one, seen } = tens()
    const world = await testWorld({ handlers: [], schedules: [one] })
    await world.advance('11m')
    world.clock.jump(86_400_000)
    await world.until(() => seen.length === 2, '15s')
    world.clock.jump(-86_400_000)
    await world.advance('9m')
    const { ids, repeats } = await ticksOf(world.hapax, 'tens')
    expect([seen, ids, repeats]).toEqual([['16:10', '16:10', '16:20'], seen, 0])
    await world.close()
  })
})

describe('what a run may have, a tick’s has', () => {
  it('waits behind the one before with order, and is held by a pause', async () => {
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const begun: string[] = []
    const slow = schedule('slow', '*/10 * * * *', { order: true, timeout: '1h' }, async ({ data }) => {
      begun.push(data.at.slice(11, 16))
      await held
    })
    const world = await testWorld({ handlers: [], schedules: [slow] })
    await world.advance('25m')
    expect(begun).toEqual(['16:10'])
    await world.soon(world.hapax.controls.pause('handler', 'slow', why))
    release()
    await world.advance('2s')
    expect(begun).toEqual(['16:10'])
    expect((await ticksOf(world.hapax, 'slow')).ids).toEqual(['16:10', '16:20'])
    await world.soon(world.hapax.controls.resume('handler', 'slow', why))
    await world.until(() => begun.length === 2)
    await world.close()
  })

  it('is not begun by an event of the type that is no tick', async () => {
    const { one, seen } = tens()
    const world = await testWorld({ handlers: [], schedules: [one] })
    const receipt = await world.hapax.accept({ source: 'default', type: 'schedule.tens', id: 'x', data: { at: 5 } })
    expect(await world.ended(receipt)).toMatchObject({ status: 'dead', state: { error: { code: 'schema_mismatch' } } })
    expect(seen).toEqual([])
    await world.close()
  })
})

describe('a list of schedules', () => {
  it('has their next tick, and the last that came', async () => {
    const { one } = tens()
    const world = await testWorld({ handlers: [], schedules: [one] })
    const listed = { name: 'tens', group: 'default', cron: '*/10 * * * *', timezone: 'UTC', missed: 'latest' }
    expect(await world.hapax.schedules()).toEqual([{ ...listed, nextAt: 1_764_000_600_000, last: undefined }])
    await world.advance('11m')
    const [event] = (await world.hapax.events.list()).events
    expect(await world.hapax.schedules()).toEqual([
      { ...listed, nextAt: 1_764_001_200_000, last: { at: 1_764_000_600_000, event: event?.key } },
    ])
    await world.close()
  })
})
