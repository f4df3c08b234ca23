import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { goalsOf } from '../drill/goals.ts'
import { parking } from '../drill/parking.ts'
import { sharedRate } from '../drill/shared-rate.ts'

/** The short forms of `npm run drill:rate` and `npm run drill:parking`. */
const folder = mkdtempSync(join(tmpdir(), 'hapax-drills-'))
const fileOf = (name: string) => `sqlite:${join(folder, `${name}.db`)}`
const quiet = () => {}

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a rate that processes share', () => {
  it('G8: is not exceeded, and is used', async () => {
    const plan = { store: fileOf('rate'), nodes: 2, seconds: 4, rate: 100, beatMs: 500 }
    const figures = await sharedRate(plan, quiet)
    // Some seconds pass before what is measured begins.
    expect(figures.most10s).toBeLessThanOrEqual(figures.allowed10s * 1.01)
    expect(figures.usedPart).toBeLessThanOrEqual(1)
    expect(figures.usedPart).toBeGreaterThan(0.3)
    expect(goalsOf({ drill: 'rate', plan, figures })).toHaveLength(3)
  })
})

describe('runs that wait for a service that is down', () => {
  it('G8: leave no record but for those that were under way, and lose no attempt', async () => {
    const plan = { store: fileOf('parking'), nodes: 1, runs: 1_500, beatMs: 500 }
    const { lost, attemptsBurnt, parkedRecords } = await parking(plan, quiet)
    expect({ lost, attemptsBurnt }).toEqual({ lost: 0, attemptsBurnt: 0 })
    // A node's slots.
    expect(parkedRecords).toBeLessThanOrEqual(100)
    expect(parkedRecords).toBeGreaterThan(0)
  })
})
