import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { createHapax, type Hapax } from '../../src/index.ts'
import type { Store } from '../../src/store/store.ts'
import { type TestWorld, testWorld } from '../../src/testing/index.ts'

const page = readFileSync(new URL('../../docs/guarantees.md', import.meta.url), 'utf8').replace(/\s+/g, ' ')
const folder = mkdtempSync(join(tmpdir(), 'hapax-guarantees-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What the handlers here take. */
export const on = { source: 'shop', on: '*' } as const
export const why = { reason: 'a test', actor: 'me' }
export const order = (id: string, more: object = {}) => ({
  source: 'shop',
  id,
  type: 'order.paid',
  data: { total: 5 },
  ...more,
})
export const never = () => new Promise<never>(() => {})

let files = 0
/** A SQLite store of its own. */
export const file = () => `sqlite:${join(folder, `${files++}.db`)}`

/** A Hapax on real time, stopped whatever happens. */
export async function onFile<Result>(
  options: Parameters<typeof createHapax>[0],
  use: (hapax: Hapax) => Promise<Result>,
): Promise<Result> {
  const hapax = await createHapax(options)
  try {
    return await use(hapax)
  } finally {
    await hapax.stop()
  }
}

/** The engine on virtual time, in one shard unless told otherwise. */
export async function inWorld(
  options: Parameters<typeof testWorld>[0],
  use: (world: TestWorld) => Promise<void>,
): Promise<void> {
  const world = await testWorld({ shards: 1, ...options })
  await use(world)
  await world.crash()
}

/** A store of which one member is another. */
export function storeWith<Name extends keyof Store>(
  store: Store,
  name: Name,
  instead: (target: Store) => Store[Name],
): Store {
  return new Proxy(store, {
    get(target, member) {
      if (member === name) return instead(target)
      const found: unknown = Reflect.get(target, member, target)
      return typeof found === 'function' ? found.bind(target) : found
    },
  })
}

/** A promise of docs/guarantees.md, in its own words (several, where one proof holds several), and what must hold for it. */
export function promise(quotes: string | readonly string[], proof: () => Promise<void>): void {
  const all = typeof quotes === 'string' ? [quotes] : quotes
  it(all.join(' … '), async () => {
    for (const quote of all) expect(page).toContain(quote)
    await proof()
  })
}
