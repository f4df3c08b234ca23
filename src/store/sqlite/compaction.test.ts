import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { accepted, acceptOne, newPath, open } from '../../../test/support/sqlite-file.ts'
import { systemClock } from '../../kit/clock.ts'
import { seededRandom } from '../../kit/random.ts'

describe('the identity ledger', () => {
  const tiny = { sealEntries: 20, mergeCount: 3, sliceRows: 7 }

  test('finds every identity in memory, in sealed and in merged generations, and after a restart', async () => {
    const path = newPath()
    let store = await open(path, { ledger: tiny })
    const { fraction } = seededRandom(7)
    const model = new Map<string, string>()
    for (let round = 0; round < 120; round++) {
      const items = Array.from({ length: 8 }, () => accepted(`evt_${Math.floor(fraction() * 600)}`))
      const { accept } = await store.commit({ accept: items })
      for (const [index, item] of items.entries()) {
        const first = model.get(item.id)
        const answer = accept[index]
        if (first === undefined) expect(answer).toMatchObject({ outcome: 'accepted' })
        else expect(answer).toMatchObject({ outcome: 'duplicate', original: first })
        if (first === undefined) model.set(item.id, item.key)
      }
      if (round % 40 === 39) {
        await store.close()
        store = await open(path, { ledger: tiny })
      }
    }
    for (const [id, key] of model) {
      expect(await store.identity({ tenant: 'default', source: 'shop', id })).toMatchObject({ key })
    }
    const database = new DatabaseSync(path, { readOnly: true })
    expect(database.prepare('select max(tier) as tier from ledger_generation').get()?.tier).toBeGreaterThan(0)
    database.close()
  })

  test('an identity outlives its event, and is forgotten when its own time has come', async () => {
    const store = await open(newPath(), { ledger: tiny })
    const item = accepted('evt_1')
    await acceptOne(store, item)
    const never = { payloadsBefore: 0, journalBefore: 0, identitiesBefore: 0, rows: 100 }
    const all = systemClock.now() + 60_000
    expect(await store.purge({ ...never, identitiesBefore: all })).toMatchObject({ identities: 0 })
    expect(await store.purge({ ...never, journalBefore: all })).toMatchObject({ events: 1 })
    expect(await store.event(item.key)).toBeUndefined()
    const [again] = (await store.commit({ accept: [accepted('evt_1')] })).accept
    expect(again).toMatchObject({ outcome: 'duplicate', original: item.key })
    expect(await store.purge({ ...never, identitiesBefore: all })).toMatchObject({ identities: 1 })
    const [fresh] = (await store.commit({ accept: [accepted('evt_1')] })).accept
    expect(fresh).toMatchObject({ outcome: 'accepted' })
  })

  test('content seen within its window makes a new unsigned id a duplicate, also when sealed', async () => {
    const store = await open(newPath(), { ledger: tiny })
    const window = { contentWindowMs: 60_000, idSigned: false }
    const first = accepted('guid_1', { ...window, fingerprints: [{ keyId: 1, hash: 'body' }] })
    await acceptOne(store, first)
    for (let index = 0; index < 60; index++) await acceptOne(store, accepted(`filler_${index}`))
    const second = accepted('guid_2', { ...window, fingerprints: [{ keyId: 1, hash: 'body' }] })
    const [answer] = (await store.commit({ accept: [second] })).accept
    expect(answer).toMatchObject({ outcome: 'duplicate', original: first.key, reason: 'same_signed_content' })
  })
})
