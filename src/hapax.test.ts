import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, expectTypeOf, it } from 'vitest'
import type { PendingAccept } from './engine/api.ts'
import { handler } from './engine/handler.ts'
import { schedule } from './engine/schedule.ts'
import type { Receipt } from './event/receipt.ts'
import { createHapax, type Hapax, type HapaxOptions } from './hapax.ts'

const folder = mkdtempSync(join(tmpdir(), 'hapax-library-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0
const file = () => join(folder, `${files++}.db`)

const event = (id: string) => ({ source: 'shop', id, type: 'order.paid', data: { total: 5 } })
const stopped = expect.objectContaining({ code: 'engine_stopped' })

describe('createHapax', () => {
  it('refuses all nonsense at once, before it opens the store', async () => {
    const path = file()
    const wrong: HapaxOptions = { store: `sqlite:${path}`, concurrency: 0, lease: '1s', beat: '2s', group: '' }
    const error = await createHapax(wrong).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'config_invalid' })
    for (const said of ['concurrency', 'lease (1000 ms)', 'group']) expect(String(error)).toContain(said)
    expect(() => new DatabaseSync(path, { readOnly: true })).toThrow()
  })
})

describe('createHapax with schedules', () => {
  it('refuses a cron expression and a time zone that are not understood, before it opens the store', async () => {
    const path = file()
    const schedules = [
      schedule('one', '0 99 * * *', {}, () => {}),
      schedule('two', '0 3 * * *', { timezone: 'Athens' }, () => {}),
    ]
    const wrong: HapaxOptions = { store: `sqlite:${path}`, concurrency: 0, schedules }
    const error = await createHapax(wrong).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'config_invalid' })
    for (const said of ['concurrency', 'schedule "one": cron: "0 99 * * *"', 'schedule "two": timezone'])
      expect(String(error)).toContain(said)
    expect(() => new DatabaseSync(path, { readOnly: true })).toThrow()
  })

  it('lists them though it is not started, and not once it is stopped', async () => {
    const nightly = schedule('nightly', '0 3 * * *', { timezone: 'Europe/Athens' }, () => {})
    const hapax = await createHapax({ store: 'memory:', schedules: [nightly] })
    expect(await hapax.schedules()).toMatchObject([{ name: 'nightly', timezone: 'Europe/Athens', last: undefined }])
    await hapax.stop()
    await expect(hapax.schedules()).rejects.toEqual(stopped)
  })
})

describe('accept', () => {
  it('within the caller’s own transaction is pending, and commits with what the caller writes', async () => {
    const path = file()
    await using hapax = await createHapax({ store: `sqlite:${path}` })
    const transaction = new DatabaseSync(path, { timeout: 5_000 })
    transaction.exec('create table business (id text)')
    const written = async (end: 'commit' | 'rollback', id: string): Promise<PendingAccept> => {
      transaction.exec('begin immediate')
      transaction.prepare('insert into business values (?)').run(id)
      const answer = await hapax.accept(event(id), { transaction })
      transaction.exec(end)
      return answer
    }
    expect(await written('rollback', 'a')).toMatchObject({ outcome: 'pending' })
    expect((await hapax.events.list()).events).toEqual([])
    const { event: kept } = await written('commit', 'a')
    expect((await hapax.events.list()).events).toMatchObject([{ id: 'a', key: kept.key }])
    expect(await written('commit', 'a')).toEqual({ outcome: 'exists', event: { key: kept.key } })
    // The key of a tenant is read, not written, once it is there: also by a process that has not used it yet.
    await hapax.accept({ ...event('b'), tenant: 'acme' })
    await using other = await createHapax({ store: `sqlite:${path}` })
    transaction.exec('begin immediate')
    const ofTenant = await other.accept({ ...event('c'), tenant: 'acme' }, { transaction })
    transaction.exec('commit')
    expect(ofTenant).toMatchObject({ outcome: 'pending' })
    transaction.close()
  })

  it('within a transaction of a tenant that has no key yet says what to do first', async () => {
    const path = file()
    await using hapax = await createHapax({ store: `sqlite:${path}` })
    using transaction = new DatabaseSync(path, { timeout: 5_000 })
    transaction.exec('begin immediate')
    const answer = hapax.accept({ ...event('a'), tenant: 'acme' }, { transaction })
    await expect(answer).rejects.toMatchObject({
      code: 'store_busy',
      message: expect.stringContaining('accept one event of the tenant without a transaction first'),
    })
    transaction.exec('rollback')
  })

  it('is typed by whether there is a transaction', () => {
    const plain = (hapax: Hapax) => hapax.accept(event('1'), { idSigned: false })
    const within = (hapax: Hapax, transaction: DatabaseSync) => hapax.accept(event('1'), { transaction })
    expectTypeOf<ReturnType<typeof plain>>().toEqualTypeOf<Promise<Receipt>>()
    // Never a receipt, which says that the event is durable: inside an open transaction it is not.
    expectTypeOf<ReturnType<typeof within>>().toEqualTypeOf<Promise<PendingAccept>>()
    expectTypeOf<Hapax['accept']>().toBeCallableWith(event('1'))
  })
})

describe('a Hapax', () => {
  it('that goes out of scope is stopped: its runs have ended, its store is closed', async () => {
    const path = `sqlite:${file()}`
    const seen: string[] = []
    let begun = () => {}
    const begins = new Promise<void>((resolve) => {
      begun = resolve
    })
    const slow = handler('slow', { source: 'shop', on: '*' }, async (_event, run) => {
      begun()
      await run.step('work', () => {})
      seen.push('done')
    })
    let kept: Hapax
    {
      await using hapax = await createHapax({ store: path, handlers: [slow] })
      kept = hapax
      await hapax.start()
      await hapax.accept(event('1'))
      await begins
    }
    expect(seen).toEqual(['done'])
    await expect(kept.events.list()).rejects.toEqual(stopped)
    await using again = await createHapax({ store: path })
    expect((await again.runs.list({ statuses: ['completed'] })).runs).toHaveLength(1)
  })

  it('gives one promise for all that stop it, which resolves when it is stopped', async () => {
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    let begun = () => {}
    const begins = new Promise<void>((resolve) => {
      begun = resolve
    })
    const slow = handler('slow', { source: 'shop', on: '*' }, async () => {
      begun()
      await held
    })
    const hapax = await createHapax({ store: 'memory:', handlers: [slow] })
    await hapax.start()
    await hapax.accept(event('1'))
    await begins
    let isStopped = false
    const first = hapax.stop()
    expect(hapax.stop()).toBe(first)
    const late = hapax.accept(event('late'))
    void first.then(() => {
      isStopped = true
    })
    await expect(late).rejects.toEqual(stopped)
    await expect(hapax.start()).rejects.toEqual(stopped)
    // Reads are answered until the store is closed: whoever stops may want to say what still runs.
    expect((await hapax.runs.list({ statuses: ['running'] })).runs).toHaveLength(1)
    expect(isStopped).toBe(false)
    release()
    await first
    for (const asked of [
      hapax.start(),
      hapax.ready(),
      hapax.events.list(),
      hapax.runs.list(),
      hapax.handlers(),
      hapax.controls.counts(),
      hapax.runs.redrive({}, { reason: 'late' }),
    ])
      await expect(asked).rejects.toEqual(stopped)
  })

  it('that stops after its server goes on accepting until that is closed, and begins no run any more', async () => {
    const seen: string[] = []
    const path = `sqlite:${file()}`
    const quick = handler('quick', { source: 'shop', on: '*' }, ({ id }) => {
      seen.push(id)
    })
    const hapax = await createHapax({ store: path, handlers: [quick] })
    await hapax.start()
    let close = () => {}
    const after = new Promise<void>((resolve) => {
      close = resolve
    })
    const stopping = hapax.stop({ after })
    expect(await hapax.accept(event('1'))).toMatchObject({ outcome: 'accepted' })
    close()
    await stopping
    await expect(hapax.accept(event('2'))).rejects.toEqual(stopped)
    expect(seen).toEqual([])
    await using other = await createHapax({ store: path, handlers: [quick] })
    await other.start()
    const [kept] = (await other.events.list()).events
    const run = (await other.events.get(kept?.key ?? '')).runs[0]?.id ?? ''
    await other.runs.result(run, { timeout: '20s' })
    expect(seen).toEqual(['1'])
  })

  it('waits no longer than its grace for what it stops after', async () => {
    const hapax = await createHapax({ store: 'memory:', grace: 50 })
    await hapax.stop({ after: new Promise(() => {}) })
    await expect(hapax.events.list()).rejects.toEqual(stopped)
  })

  it('that is stopped while it starts is stopped', async () => {
    const hapax = await createHapax({
      store: `sqlite:${file()}`,
      handlers: [handler('one', { source: '*', on: '*' }, () => {})],
    })
    const starts = hapax.start()
    await hapax.stop()
    await starts
    await expect(hapax.events.list()).rejects.toEqual(stopped)
  })

  it('starts once, however often it is asked', async () => {
    await using hapax = await createHapax({
      store: 'memory:',
      handlers: [handler('one', { source: '*', on: '*' }, () => {})],
    })
    const first = hapax.start()
    expect(hapax.start()).toBe(first)
    await first
    expect(await hapax.handlers()).toHaveLength(1)
  })
})
