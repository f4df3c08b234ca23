import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Outage, outage } from '../drill/outage.ts'

/** The short form of `npm run drill:outage`: two node processes, and the service that is down in one of its own. */
const folder = mkdtempSync(join(tmpdir(), 'hapax-outage-'))
const plan = {
  store: `sqlite:${join(folder, 'drill.db')}`,
  nodes: 2,
  seconds: 3,
  down: '503',
  arrivingRate: 200,
  declaredRate: 800,
  allowedRate: 400,
  cooldownMs: 500,
  beatMs: 500,
} as const
let drill: Outage

beforeAll(async () => {
  drill = await outage(plan, () => {})
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('an outage, in real processes and real time', () => {
  it('G5: loses no event', () => {
    expect(drill.seen.judged.examples).toEqual([])
    expect(drill.figures).toMatchObject({ lost: 0, acceptsRefused: 0 })
    expect(drill.figures.accepted).toBeGreaterThan(1_000)
    expect(drill.figures.backlog).toBeGreaterThan(plan.arrivingRate)
  })

  it('G8: burns no attempt', () => {
    expect(drill.figures.attemptsBurnt).toBe(0)
  })

  it('G7: keeps the order of each key', () => {
    expect(drill.figures.ordered).toBeGreaterThan(100)
    expect(drill.figures.orderKept).toBe(true)
  })

  it('G8: leaves the service alone while it is down, but for probes and what was under way', () => {
    const { callsWhileOpen, probes } = drill.figures
    expect(probes).toBeGreaterThan(0)
    // A node's slots, that is what may be under way on each.
    expect(callsWhileOpen - probes).toBeLessThan(plan.nodes * 100)
  })

  it('G8: comes back no faster than is allowed then', () => {
    expect(drill.figures.drainedMs).toBeLessThan(Number.POSITIVE_INFINITY)
    expect(drill.figures.peakSentRate).toBeGreaterThan(plan.arrivingRate)
    expect(drill.figures.peakSentRate).toBeLessThanOrEqual(plan.allowedRate)
  })
})
