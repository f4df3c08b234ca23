import { afterAll, describe, expect, it } from 'vitest'
import { Mutants } from './mutant-runner.ts'
import { mutations } from './mutations.ts'

const mutants = new Mutants()
afterAll(() => mutants.close())

describe('the checker can fail', () => {
  it('has many seeded bugs, and each name once', () => {
    expect(mutations.length).toBeGreaterThanOrEqual(25)
    expect(new Set(mutations.map((mutation) => mutation.name)).size).toBe(mutations.length)
  })

  for (const mutation of mutations) {
    it(`${mutation.killedBy} catches: ${mutation.name}`, async () => {
      expect((await mutants.run(mutation)).seed).toBeDefined()
    }, 250_000)
  }
})
