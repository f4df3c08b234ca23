import { describe, expect, it } from 'vitest'
import { HapaxError } from '../errors/hapax-error.ts'
import { Fatal } from '../event/outcome.ts'
import type { Store } from '../store/store.ts'
import { type TestWorld, testWorld } from '../testing/test-world.ts'
import type { RedriveRequest, RedriveView } from './api.ts'
import { handler } from './handler.ts'

const reason = { reason: 'mended' }
const event = (id: string, type = 'order.paid') => ({ source: 'shop', id, type })

/** A handler that fails until it is mended. */
function breakable(options: { readonly order?: { readonly onDead: 'block' | 'skip' } } = {}) {
  const seen: string[] = []
  let broken = true
  const settle = handler('settle', { source: 'shop', on: 'order.*', ...options }, ({ id }) => {
    if (broken && !id.startsWith('good')) throw new Fatal('no such account')
    seen.push(id)
  })
  return {
    settle,
    seen,
    mend: () => {
      broken = false
    },
  }
}

async function redriven(world: TestWorld, request: RedriveRequest): Promise<RedriveView> {
  const { id } = await world.newest().runs.redrive(request, reason)
  await world.until(async () => (await world.newest().runs.redriveStatus(id)).state !== 'running', '10m')
  return world.newest().runs.redriveStatus(id)
}

describe('a redrive', () => {
  it('takes runs by when their event was accepted, not by when they died', async () => {
    const { settle, seen, mend } = breakable()
    const world = await testWorld({ handlers: [settle] })
    const old = await world.hapax.accept(event('old'))
    await world.ended(old)
    await world.advance('1h')
    const since = world.clock.now()
    await world.ended(await world.hapax.accept(event('young')))
    // It died again just now; it is old all the same.
    await world.soon(world.hapax.runs.retry(old.runs[0]?.id ?? '', { reason: 'once more' }))
    await world.advance('1s')
    mend()
    expect(await redriven(world, { after: since })).toMatchObject({ state: 'done', asked: 1, applied: 1 })
    await world.until(() => seen.length > 0)
    expect(seen).toEqual(['young'])
    expect(await redriven(world, { before: since })).toMatchObject({ asked: 1, applied: 1 })
    await world.until(() => seen.length > 1)
    expect(seen).toEqual(['young', 'old'])
    await world.close()
  })

  it('says that a skipped run goes to the back of its order key, and that a blocking one keeps its place (G7)', async () => {
    for (const onDead of ['skip', 'block'] as const) {
      const { settle, mend } = breakable({ order: { onDead } })
      const world = await testWorld({ handlers: [settle] })
      const dead = await world.hapax.accept({ ...event('1'), orderKey: 'k' })
      const unordered = await world.hapax.accept(event('2'))
      await world.ended(dead)
      await world.ended(unordered)
      mend()
      expect(await redriven(world, {})).toMatchObject({ applied: 2, toTheBack: onDead === 'skip' ? 1 : 0 })
      await world.ended(dead)
      await world.close()
    }
  })

  it('begins with the oldest, over pages, so that runs of one key come back in their order (G7)', async () => {
    const seen: string[] = []
    let isBroken = true
    const ordered = handler('ordered', { source: 'shop', on: '*', order: { onDead: 'skip' } }, ({ id }) => {
      if (isBroken) throw new Fatal('broken')
      seen.push(id)
    })
    const world = await testWorld({ handlers: [ordered] })
    const ids = Array.from({ length: 250 }, (_, index) => `${index}`)
    for (const id of ids) await world.ended(await world.hapax.accept({ ...event(id), orderKey: 'k' }))
    isBroken = false
    const { id } = await world.soon(world.hapax.runs.redrive({ perSecond: 1_000 }, reason))
    await world.until(() => seen.length === 250, '2m')
    expect(seen).toEqual(ids)
    expect(await world.hapax.runs.redriveStatus(id)).toMatchObject({ applied: 250 })
    await world.close()
  })

  it('tells the caller of one retry so too', async () => {
    const { settle } = breakable({ order: { onDead: 'skip' } })
    const world = await testWorld({ handlers: [settle] })
    const dead = await world.hapax.accept({ ...event('1'), orderKey: 'k' })
    await world.ended(dead)
    const run = dead.runs[0]?.id ?? ''
    expect(await world.soon(world.hapax.runs.retry(run, reason))).toEqual({
      outcome: 'applied',
      run,
      note: 'to_the_back',
    })
    await world.close()
  })

  it('of unclaimed events is refused where no handler takes them', async () => {
    const world = await testWorld({ handlers: [breakable().settle] })
    await world.hapax.accept(event('1', 'parcel.sent'))
    expect(await redriven(world, { unclaimed: true })).toMatchObject({
      state: 'done',
      asked: 1,
      applied: 0,
      refused: 1,
      refusals: { no_handler: 1 },
    })
    await world.close()
  })

  it('leaves unclaimed events to the group whose handler takes them', async () => {
    const seen: string[] = []
    const world = await testWorld({ handlers: [breakable().settle] })
    await world.hapax.accept(event('1', 'parcel.sent'))
    await world.advance('2h')
    const parcels = handler('parcels', { source: 'shop', on: 'parcel.*' }, ({ id }) => {
      seen.push(id)
    })
    await world.node([parcels], { group: 'parcels' })
    expect(await redriven(world, { unclaimed: true })).toMatchObject({ asked: 1, applied: 1, refused: 0 })
    await world.until(() => seen.length > 0)
    await world.close()
  })

  it('counts what was not answered as pending, not as applied', async () => {
    const { settle } = breakable()
    const world = await testWorld({ handlers: [settle] })
    const dead = await world.hapax.accept(event('1'))
    await world.ended(dead)
    const reader = await world.node([])
    // Its owner is gone, and the one process that is left runs no handlers.
    await world.soon(world.hapax.stop())
    const { id } = await reader.runs.redrive({}, reason)
    await world.until(async () => (await reader.runs.redriveStatus(id)).state !== 'running')
    expect(await reader.runs.redriveStatus(id)).toMatchObject({ state: 'done', asked: 1, applied: 0, pending: 1 })
    await world.soon(reader.stop())
  })

  it('goes on past a run that cannot be asked, and says of which', async () => {
    const { settle, seen, mend } = breakable()
    let failing = ''
    const world = await testWorld({ handlers: [settle], wrapStore: failingFor(() => failing) })
    const [first] = [await world.hapax.accept(event('1')), await world.hapax.accept(event('2'))]
    await world.until(async () => (await world.hapax.runs.list({ statuses: ['dead'] })).runs.length === 2)
    mend()
    failing = first?.event.key ?? ''
    const view = await redriven(world, {})
    expect(view).toMatchObject({ state: 'done', asked: 2, applied: 1, failed: 1 })
    expect(view.error).toMatchObject({ code: 'store_busy', run: first?.runs[0]?.id })
    await world.until(() => seen.length > 0)
    expect(seen).toEqual(['2'])
    await world.close()
  })

  it('gives up, with the reason, where nothing can be asked', async () => {
    const { settle } = breakable()
    let failing: string | undefined = ''
    const world = await testWorld({ handlers: [settle], wrapStore: failingFor(() => failing) })
    for (let number = 0; number < 40; number++) await world.hapax.accept(event(`${number}`))
    await world.until(async () => (await world.hapax.runs.list({ statuses: ['dead'] })).runs.length === 40)
    failing = undefined
    const view = await redriven(world, {})
    expect(view).toMatchObject({ state: 'failed', applied: 0, error: { code: 'store_busy' } })
    expect(view.asked).toBeLessThan(20)
    await world.close()
  })

  it('stops where it is told to', async () => {
    const { settle } = breakable()
    const world = await testWorld({ handlers: [settle] })
    for (const id of ['1', '2', '3']) await world.ended(await world.hapax.accept(event(id)))
    const { id } = await world.hapax.runs.redrive({ perSecond: 1 }, reason)
    await world.until(async () => (await world.hapax.runs.redriveStatus(id)).asked === 1)
    expect(await world.hapax.runs.stopRedrive(id)).toMatchObject({ state: 'stopped' })
    await world.advance('1m')
    expect(await world.hapax.runs.redriveStatus(id)).toMatchObject({ state: 'stopped', asked: 1 })
    await world.close()
  })
})

/** A store that refuses to be asked of this event; undefined: of any. */
function failingFor(key: () => string | undefined): (store: Store) => Store {
  return (store) =>
    new Proxy(store, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name)
        if (name === 'commit') {
          return (batch: Parameters<Store['commit']>[0]) => {
            const isAsked = batch.intervene?.some(({ event: of }) => key() === undefined || of === key())
            if (isAsked) return Promise.reject(new HapaxError('store_busy', { reason: 'test' }))
            return target.commit(batch)
          }
        }
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
}
