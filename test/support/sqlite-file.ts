import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { systemClock } from '../../src/kit/clock.ts'
import { type SqliteStoreOptions, sqliteStore } from '../../src/store/sqlite/index.ts'
import type { AcceptItem, Owned, Store } from '../../src/store/store.ts'
import { acceptItem } from './accept-item.ts'
import { nodeBeat } from './node-beat.ts'

const folders: string[] = []
const stores: Store[] = []

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()))
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** Where a file may be made; gone after the test. */
export function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hapax-sqlite-'))
  folders.push(folder)
  return join(folder, 'hapax.db')
}

/** A store on this file; closed after the test. */
export async function open(path: string, options: Partial<SqliteStoreOptions> = {}): Promise<Store> {
  const store = await sqliteStore({ path, clock: systemClock, ...options })
  stores.push(store)
  return store
}

/** An accept of this id, in shard 3. */
export function accepted(id: string, more: Partial<AcceptItem> = {}): AcceptItem {
  return acceptItem({ id, shard: 3, ...more })
}

/** Takes every pair of a new group. */
export async function ownAll(store: Store): Promise<readonly Owned[]> {
  return (await store.own(nodeBeat({ leaseMs: 60_000 }))).owned
}

/** The pair of this shard. */
export function pairOf(owned: readonly Owned[], shard: number): Owned {
  const pair = owned.find((one) => one.shard === shard)
  if (!pair) throw new Error(`shard ${shard} is not owned`)
  return pair
}

/** Commits an accept that is the first of its identity; answers its position. */
export async function acceptOne(store: Store, item: AcceptItem): Promise<number> {
  const [answer] = (await store.commit({ accept: [item] })).accept
  if (answer?.outcome !== 'accepted') throw new Error(`not accepted: ${answer?.outcome}`)
  return answer.position ?? 0
}
