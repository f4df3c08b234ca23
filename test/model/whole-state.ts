import type { Identity } from '../../src/event/event.ts'
import type { EventQuery, Owned, RunQuery, Store, TailPage } from '../../src/store/store.ts'
import { scopes } from './draws.ts'
import { allPages, type Side } from './side.ts'

/** What a walk has named so far: all of it is read. */
export interface Named {
  readonly events: readonly string[]
  readonly identities: readonly Identity[]
  readonly tags: readonly string[]
  readonly owned: readonly Owned[]
  /** A time in the middle of the walk, and the present. */
  readonly middle: number
  readonly now: number
}

/** Everything that a store's readers tell of what it keeps. */
export async function wholeState({ store }: Side, named: Named): Promise<Record<string, unknown>> {
  const { events: keys, identities, tags, owned } = named
  const each = <Item, Value>(items: readonly Item[], read: (item: Item) => Promise<Value>): Promise<Value[]> =>
    Promise.all(items.map(read))
  const runs = keys.flatMap((key) => tags.map((tag) => ({ key, tag })))
  const [events, histories] = await Promise.all([
    each(keys, (key) => store.event(key)),
    each(keys, (key) => store.history(key)),
  ])
  const numbers = [
    ...events.flatMap((event) => (event ? [{ position: event.position, name: event.key }] : [])),
    ...histories.flat().flatMap((entry) => {
      return entry.kind === 'intervention' ? [{ position: entry.position, name: entry.key }] : []
    }),
  ]
  const { rejected, ...counts } = await store.counts()
  const { paused, version, circuits, limits } = await store.settings()
  return {
    events,
    histories,
    inOrder: numbers.sort((one, other) => one.position - other.position).map(({ name }) => name),
    runs: await each(runs, ({ key, tag }) => store.run(key, tag)),
    identities: await each(identities, (identity) => store.identity(identity)),
    counts: { ...counts, standing: { ...counts.standing } },
    rejected: sortedBy(rejected, ({ source, code }) => `${source} ${code}`),
    settings: { version, circuits, limits, paused: sortedBy(paused, ({ what, name }) => `${what} ${name}`) },
    versions: await each(scopes, (scope) => store.newestVersion(scope)),
    registry: await store.registry(),
    searches: await each(eventQueries(named), (query) =>
      allPages((cursor) => store.searchEvents({ ...query, ...cursor })),
    ),
    runSearches: await each(runQueries(named), (query) =>
      allPages((cursor) => store.searchRuns({ ...query, ...cursor })),
    ),
    tails: (await store.tail({ cursors: owned, limit: 1_000_000 })).map(sortedPage),
    due: await allDue(store, owned, named.now),
  }
}

/** A page without the order in which a store happens to list runs. */
export function sortedPage(page: TailPage): TailPage {
  return {
    ...page,
    events: page.events.map(({ event, runs }) => ({ event, runs: sortedBy(runs, ({ tag }) => tag) })),
    standing: sortedBy(page.standing, ({ event, tag }) => event + tag),
  }
}

/** Due runs, page after page. */
export async function allDue(store: Store, owned: readonly Owned[], until: number, limit = 5): Promise<unknown[]> {
  const pages: unknown[] = []
  for (let after: Parameters<Store['due']>[3]; ; ) {
    const page = await store.due(owned, until, limit, after)
    pages.push(page)
    const last = page.runs.at(-1)
    const dueAt = last?.run.state?.dueAt
    if (!last || dueAt === undefined) return pages
    after = { dueAt, position: last.run.position, tag: last.run.tag }
  }
}

function sortedBy<Item>(items: readonly Item[], name: (item: Item) => string): Item[] {
  return [...items].sort((one, other) => (name(one) < name(other) ? -1 : 1))
}

function eventQueries({ middle, now }: Named): EventQuery[] {
  return [
    { limit: 7 },
    { limit: 3, tenant: 't1', type: 'paid' },
    { limit: 3, tenant: 't2' },
    { limit: 4, source: 's2', unclaimed: false },
    { limit: 2, unclaimed: true },
    { limit: 2, id: 'id 7' },
    { limit: 5, idPrefix: 'id 1', after: middle },
    { limit: 5, before: middle },
    { limit: 5, after: middle, before: now, source: 's1' },
  ]
}

function runQueries({ middle, now }: Named): RunQuery[] {
  return [
    { limit: 7 },
    { limit: 3, statuses: ['dead', 'unknown'] },
    { limit: 3, statuses: ['completed'], tenant: 't1' },
    { limit: 3, group: 'g1', source: 's1' },
    { limit: 3, handler: 'h' },
    { limit: 4, after: middle, statuses: ['scheduled', 'waiting', 'ready', 'parked'] },
    { limit: 4, before: middle },
    { limit: 4, acceptedAfter: middle, before: now },
    { limit: 4, acceptedBefore: middle, tenant: 't2' },
  ]
}
