import { hash } from 'node:crypto'
import type { RunAddress } from '../event/run.ts'
import { runId } from '../event/run.ts'

/**
 * The stable key of a step, for the other side's idempotency: the same over attempts, takeovers, retries and redrives,
 * unique per step; never holds attempt, epoch or time (DESIGN G4). A replay with new keys raises the series.
 */
export function stepKey(run: Pick<RunAddress, 'event' | 'tag'>, keySeries: number, step: string, of: string): string {
  return `hpx_${hash('sha256', `${runId(run)}/${keySeries}/${step.length}:${step}/${of}`, 'hex').slice(0, 40)}`
}
