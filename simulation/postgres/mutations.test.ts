import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PostgresServer } from '../../test/support/services/postgres.ts'
import { Mutants } from '../mutant-runner.ts'
import { driverMutations } from './mutations.ts'
import { simulatedServer } from './setting.ts'

let server: PostgresServer
let mutants: Mutants

beforeAll(async () => {
  server = await simulatedServer()
  mutants = new Mutants(server.url)
})

afterAll(async () => {
  mutants.close()
  await server.stop()
})

describe('the checker can fail below the driver', () => {
  it('has each name once', () => {
    expect(new Set(driverMutations.map((mutation) => mutation.name)).size).toBe(driverMutations.length)
  })

  for (const mutation of driverMutations) {
    it(`${mutation.killedBy} catches: ${mutation.name}`, async () => {
      expect((await mutants.run(mutation)).seed).toBeDefined()
    }, 250_000)
  }
})
