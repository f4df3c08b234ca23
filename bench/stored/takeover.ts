import { createHapax } from '../../src/index.ts'
import type { Bench, Works } from '../postgres/contestant.ts'
import { counted } from '../works/events.ts'
import { Child } from './child.ts'

const sharedTries = 600

/**
 * Two nodes share the pairs; one is killed while runs of its pairs are under way, and the other has to find and run them. Lease and
 * beat are the defaults. Times count from the end of the killed one's lease, since nobody may act before.
 */
export const works: Works = {
  takeover: async (bench) => {
    const migrated = await createHapax({ store: bench.url, migrate: 'auto', handlers: [counted().handler] })
    await migrated.stop()
    const killed = new Child('takeover-node.ts', [bench.url])
    await killed.said('ready')
    const peer = new Child('takeover-node.ts', [bench.url])
    await peer.said('ready')
    await shared(bench)
    peer.tell(`run ${bench.count}`)
    killed.tell(`hang ${bench.count}`)
    await killed.said('hanging')
    const owners = await ownersOf(bench)
    await killed.end('SIGKILL')
    const lease = await leaseEnd(bench, owners)
    await new Promise((resolve) => setTimeout(resolve, lease.at - Date.now()))
    const before = await spent(bench)
    const first = Number(await peer.said('first')) - lease.at
    const all = Number(await peer.said('all')) - lease.at
    const after = await spent(bench)
    peer.tell('end')
    await peer.end()
    return { firstMs: first, allMs: all, workMs: after.ms - before.ms, statements: after.calls - before.calls }
  },
}

/** Waits until two nodes own as much. */
async function shared(bench: Bench): Promise<void> {
  for (let tries = 0; tries < sharedTries; tries++) {
    const counts = [...(await ownersOf(bench)).values()]
    if (counts.length === 2 && counts[0] === counts[1]) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new TypeError('Two nodes do not share the pairs.')
}

async function ownersOf(bench: Bench): Promise<Map<string, number>> {
  const rows = await bench.rows<{ node: string; pairs: string }>(
    'select node, count(*) as pairs from hapax.pair where node is not null group by node',
  )
  return new Map(rows.map(({ node, pairs }) => [node, Number(pairs)]))
}

/** Of the two that owned something the one that is not heard again. */
async function leaseEnd(bench: Bench, owners: ReadonlyMap<string, number>): Promise<{ readonly at: number }> {
  const leases = async () => {
    const rows = await bench.rows<{ node: string; until: number }>(
      'select node, lease_until as until from hapax.node where node = any($1)',
      [[...owners.keys()]],
    )
    return new Map(rows.map(({ node, until }) => [node, until]))
  }
  const before = await leases()
  for (let tries = 0; tries < sharedTries; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    const now = await leases()
    const beaten = [...before].find(([node, until]) => (now.get(node) ?? 0) > until)
    const [, at] = [...before].find(([node]) => beaten && node !== beaten[0]) ?? []
    if (at !== undefined) return { at }
  }
  throw new TypeError('No node is heard any more.')
}

async function spent(bench: Bench): Promise<{ readonly calls: number; readonly ms: number }> {
  const [row] = await bench.adminRows<{ calls: string; ms: number }>(
    `select coalesce(sum(s.calls), 0) as calls, coalesce(sum(s.total_exec_time), 0) as ms
     from pg_stat_statements s join pg_database d on d.oid = s.dbid where d.datname = $1`,
    [new URL(bench.url).pathname.slice(1)],
  )
  return { calls: Number(row?.calls), ms: Number(row?.ms) }
}
