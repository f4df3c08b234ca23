import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { poolerUnavailable, poolerVersion, startPooler } from './pgbouncer.ts'
import { debianUnavailable, startPostgres } from './postgres.ts'

/** A server that tests run on, and how they reach it. */
export interface OfferedServer {
  readonly name: string
  readonly url: string
  /** A role that may serve and no more, by the same way; the stores of the suite are then used as it. */
  readonly serving?: { readonly role: string; readonly url: string }
  /** Why it is not there; its tests are not run then, and say so. */
  readonly unavailable: string | undefined
}

declare module 'vitest' {
  interface ProvidedContext {
    /** The newest server, for all tests of the run: each uses a schema of its own. */
    postgresUrl: string
    /** Every server that the driver is held to. */
    postgresServers: readonly OfferedServer[]
  }
}

/** Only a crash of the machine asks for fsync, and no test makes one. */
const settings = { max_connections: '200', fsync: 'off' }

/** Starts the servers that the tests of the run share, and stops them after them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const newest = await startPostgres({ from: 'registry', settings })
  project.provide('postgresUrl', newest.url)
  const { serving, remove } = await servingRole(newest.url)
  const offered: OfferedServer[] = [
    { name: 'PostgreSQL 18, TCP, as a role that only serves', url: newest.url, serving, unavailable: undefined },
  ]
  const unavailable = debianUnavailable()
  const older = unavailable === undefined ? await startPostgres({ from: 'debian', settings }) : undefined
  const socket = older?.socketFolder
  const url =
    socket === undefined ? '' : `postgres://hapax@/postgres?host=${socket}&port=${new URL(older?.url ?? '').port}`
  offered.push({ name: 'PostgreSQL of Debian, socket', url, unavailable })
  const noPooler = poolerUnavailable()
  // The harder of its ways: no statement that was named is known to the next transaction.
  const pooler = noPooler === undefined ? await startPooler({ before: newest.url, statements: 0 }) : undefined
  const poolerName = `PgBouncer${pooler ? ` ${poolerVersion()}` : ''} in transaction mode, PostgreSQL 18`
  offered.push({ name: poolerName, url: pooler?.url ?? '', unavailable: noPooler })
  project.provide('postgresServers', offered)
  return async () => {
    await pooler?.stop()
    await remove()
    await older?.stop()
    await newest.stop()
  }
}

/** A role without rights; and how it is removed, with what it was granted. */
async function servingRole(url: string) {
  const role = `hapax_serving_${process.pid}`
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`create role ${role} login password 'serving'`)
  const its = new URL(url)
  its.username = role
  its.password = 'serving'
  const remove = async () => {
    await client.query(`drop owned by ${role}; drop role ${role}`)
    await client.end()
  }
  return { serving: { role, url: its.toString() }, remove }
}
