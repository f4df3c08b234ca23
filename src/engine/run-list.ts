import { HapaxError } from '../errors/hapax-error.ts'
import { runId } from '../event/run.ts'
import { runStatuses } from '../event/run-status.ts'
import { limits } from '../kit/limits.ts'
import type { RunQuery, RunSummary, Store } from '../store/store.ts'

/** A page of runs. */
export interface RunPage {
  readonly runs: RunSummary[]
  readonly next: string | undefined
}

/** What a list of runs is made from. */
export interface RunListHost {
  readonly store: Store
  /** What executes in this process now. */
  executing(): readonly RunSummary[]
}

/** A query with a limit that a page can have. */
export function paged<Query extends { readonly limit: number }>(query: Partial<Query>): Query {
  const asked = query.limit ?? 50
  if (!Number.isFinite(asked)) throw new HapaxError('invalid_query', { reason: 'limit is a whole number' })
  const limit = Math.max(1, Math.min(Math.floor(asked), limits.pageItems))
  // The rest of a query is optional: with its limit it is whole.
  return { ...query, limit } as Query
}

/**
 * Lists runs by what they settled as; `running`, asked for alone, by what this process executes: it leaves no record.
 *
 * @throws `invalid_query` for statuses that cannot be listed, with the reason, so that an empty page means that there is none
 */
export async function listRuns(host: RunListHost, query: Partial<RunQuery>): Promise<RunPage> {
  const whole = paged<RunQuery>(query)
  const statuses = query.statuses ?? []
  for (const status of statuses) if (!runStatuses.includes(status)) refuse(`${status} is no status of a run`)
  if (statuses.includes('ready')) {
    const others = runStatuses.filter((status) => status !== 'ready' && status !== 'running').join(', ')
    refuse(`runs that are ready are not indexed, since one that never settled has left no record: list ${others}`)
  }
  if (!statuses.includes('running')) return host.store.searchRuns(whole)
  if (statuses.some((status) => status !== 'running'))
    refuse('running is known to the process that executes alone: ask for it without other statuses')
  return pageOf(host.executing().filter(fits(query)), whole)
}

function pageOf(runs: readonly RunSummary[], { limit, cursor }: RunQuery): RunPage {
  const found = runs
    .filter(({ run }) => cursor === undefined || runId(run) < cursor)
    .sort((one, other) => (runId(one.run) < runId(other.run) ? 1 : -1))
  const page = found.slice(0, limit)
  const last = page.at(-1)
  return { runs: page, next: found.length > limit && last ? runId(last.run) : undefined }
}

function fits(query: Partial<RunQuery>): (run: RunSummary) => boolean {
  return ({ identity, group, handler, state }) =>
    (query.tenant === undefined || identity.tenant === query.tenant) &&
    (query.source === undefined || identity.source === query.source) &&
    (query.group === undefined || group === query.group) &&
    (query.handler === undefined || handler === query.handler) &&
    (query.after === undefined || state.since >= query.after) &&
    (query.before === undefined || state.since < query.before)
}

function refuse(reason: string): never {
  throw new HapaxError('invalid_query', { reason })
}
