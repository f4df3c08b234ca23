import type { TestProject } from 'vitest/node'
import { startPostgres } from './postgres.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A server for all tests of the run: each uses a schema of its own. */
    postgresUrl: string
  }
}

/** Starts the server that the tests of the run share, and stops it after them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Only a crash of the machine asks for fsync, and no test makes one.
  const settings = { max_connections: '200', fsync: 'off' }
  const server = await startPostgres({ from: 'registry', settings })
  project.provide('postgresUrl', server.url)
  return () => server.stop()
}
