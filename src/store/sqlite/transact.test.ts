import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { accepted, acceptOne, newPath, open, ownAll, pairOf } from '../../../test/support/sqlite-file.ts'

describe('transactions in the main thread', () => {
  async function prepared() {
    const path = newPath()
    const store = await open(path)
    const owned = pairOf(await ownAll(store), 3)
    const event = accepted('evt_1')
    const run = { event: event.key, position: await acceptOne(store, event), tag: 'abcdefgh' }
    const step = { kind: 'transaction', name: 'ledger', of: '' } as const
    const item = { owned, run, generation: 1, attempt: 1, step, startedAt: 1, endedAt: 2, firstTriedAt: 1 }
    if (!store.transact || !store.acceptWithin) throw new Error('the store has transactions')
    return { path, store, item, transact: store.transact.bind(store), acceptWithin: store.acceptWithin.bind(store) }
  }

  test('effect and checkpoint commit together, once', async () => {
    const { path, store, item, transact } = await prepared()
    let calls = 0
    const body = (tx: unknown) => {
      calls++
      if (tx instanceof DatabaseSync) tx.exec('create table if not exists booked (n); insert into booked values (1)')
      return '"done"'
    }
    expect(await transact(item, body)).toEqual({ outcome: 'written' })
    expect(await transact({ ...item, attempt: 2 }, body)).toMatchObject({
      outcome: 'refused',
      checkpoint: { value: '"done"' },
    })
    expect(calls).toBe(1)
    const database = new DatabaseSync(path, { readOnly: true })
    expect(database.prepare('select count(*) as n from booked').get()?.n).toBe(1)
    database.close()
    expect(await acceptOne(store, accepted('after it'))).toBeGreaterThan(item.run.position)
  })

  test('a transaction of another library is refused', async () => {
    const { item, transact } = await prepared()
    const begin = () => expect.unreachable()
    await expect(transact(item, () => expect.unreachable(), begin)).rejects.toMatchObject({ code: 'store_refused' })
  })

  test('an error of the body rolls everything back; a stale epoch never calls it', async () => {
    const { store, item, transact } = await prepared()
    const failure = new Error('no')
    await expect(
      transact(item, (tx) => {
        if (tx instanceof DatabaseSync) tx.exec('create table booked (n)')
        throw failure
      }),
    ).rejects.toBe(failure)
    expect((await store.run(item.run.event, item.run.tag))?.checkpoints).toEqual([])
    const stale = { ...item, owned: { ...item.owned, epoch: 99 } }
    expect(await transact(stale, () => expect.unreachable())).toEqual({ outcome: 'stale' })
    const promised = (async () => '1') as unknown as () => string
    await expect(transact(item, promised)).rejects.toMatchObject({ code: 'transaction_async' })
  })

  test("an event accepted within the caller's transaction comes by tail, or not at all", async () => {
    const { path, store, acceptWithin, item } = await prepared()
    const cursor = (await store.tail({ cursors: [item.owned], limit: 10 }))[0]?.cursor ?? 0
    const caller = new DatabaseSync(path)
    caller.exec('begin')
    expect(acceptWithin(caller, accepted('lost'))).toEqual({ outcome: 'pending' })
    caller.exec('rollback')
    caller.exec('begin')
    expect(acceptWithin(caller, accepted('kept'))).toEqual({ outcome: 'pending' })
    expect(acceptWithin(caller, accepted('kept'))).toMatchObject({ outcome: 'exists' })
    expect(acceptWithin(caller, accepted('evt_1'))).toEqual({ outcome: 'exists', key: item.run.event })
    caller.exec('commit')
    caller.close()
    const [page] = await store.tail({ cursors: [{ ...item.owned, cursor }], limit: 10 })
    expect(page?.events.map(({ event }) => event.id)).toEqual(['kept'])
    const [again] = (await store.commit({ accept: [accepted('kept')] })).accept
    expect(again).toMatchObject({ outcome: 'duplicate' })
    expect(() => acceptWithin({}, accepted('x'))).toThrow(expect.objectContaining({ code: 'store_refused' }))
  })
})
