import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import type { Store } from '../../src/store/store.ts'

/** One of the two stores, with the numbers that it chose. */
export interface Side {
  store: Store
  readonly positions: Map<string, number>
  readonly interventions: Map<string, number>
  readonly cursors: Map<string, { readonly cursor: number; readonly asked: number }>
}

export function newSide(store: Store): Side {
  return { store, positions: new Map(), interventions: new Map(), cursors: new Map() }
}

/** Numbers that each store chooses by itself: compared by the order that they give, never by value. */
const own = new Set(['position', 'order', 'cursor', 'asked', 'seenIntervention', 'next'])

export function scrubbed(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(scrubbed)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([name, field]) => field !== undefined && !own.has(name))
  return Object.fromEntries(entries.map(([name, field]) => [name, scrubbed(field)]))
}

/** Both answers, without each store's own numbers, are the same. */
export function expectSame(what: string, real: unknown, model: unknown): void {
  const [found, wanted] = [scrubbed(real), scrubbed(model)]
  // The test's own comparison is for the telling: it is slow on a whole state.
  if (!isDeepStrictEqual(found, wanted)) expect({ what, answer: found }).toEqual({ what, answer: wanted })
}

/** All pages of a list, one after the other. */
export async function allPages<Page extends { readonly next: string | undefined }>(
  page: (cursor: { cursor?: string }) => Promise<Page>,
): Promise<Page[]> {
  const pages: Page[] = []
  let next: string | undefined
  do {
    const found = await page(next === undefined ? {} : { cursor: next })
    pages.push(found)
    next = found.next
  } while (next !== undefined)
  return pages
}
