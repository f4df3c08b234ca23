import { hash } from 'node:crypto'

/**
 * The stable key of a step, for the other side's idempotency: the same over attempts, takeovers, retries and redrives,
 * unique per step; never holds attempt, epoch or time (DESIGN G4). A replay with new keys raises the series.
 */
export function stepKey(run: string, keySeries: number, step: string, of: string): string {
  return `hpx_${hash('sha256', `${run}/${keySeries}/${step.length}:${step}/${of}`, 'hex').slice(0, 40)}`
}
